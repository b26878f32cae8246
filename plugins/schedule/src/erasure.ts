/** How schedules whose data is about somebody are erased. */
import type { ErasedBatch, ErasureBatch } from '@outbus/core/plugin'
import { eraseSchedules } from './sql/erase-schedules.ts'

const FIRST = '00000000-0000-0000-0000-000000000000'

export const scheduleErasure = {
  async schedules({ app, pattern, dryRun, after = FIRST, limit, run }: ErasureBatch): Promise<ErasedBatch> {
    const [batch] = await run(eraseSchedules, [app, after, limit, ...pattern, dryRun])
    return batch as ErasedBatch
  },
  schedule_apps: 'no payload',
} as const
