/** How documents that are about somebody are erased. No event tells of it. */
import type { ErasedBatch, ErasureBatch } from '@outbus/core/plugin'
import { eraseDocuments } from './sql/erase-documents.ts'

export const docsErasure = {
  async docs_documents({ app, pattern, dryRun, after, limit, run }: ErasureBatch): Promise<ErasedBatch> {
    const [collection, id] = JSON.parse(after ?? '["",""]') as [string, string]
    const [batch] = await run(eraseDocuments, [app, collection, id, limit, ...pattern, dryRun])
    return batch as ErasedBatch
  },
}
