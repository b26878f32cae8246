/** How entries that are about somebody are erased. No event tells of it. */
import type { ErasedBatch, ErasureBatch } from '@outbus/core/plugin'
import { eraseEntries } from './sql/erase-entries.ts'

export const kvErasure = {
  async kv_entries({ app, pattern, dryRun, after, limit, run }: ErasureBatch): Promise<ErasedBatch> {
    const [collection, key] = JSON.parse(after ?? '["",""]') as [string, string]
    const [batch] = await run(eraseEntries, [app, collection, key, limit, ...pattern, dryRun])
    return batch as ErasedBatch
  },
}
