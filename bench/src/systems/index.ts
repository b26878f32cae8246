import type { System, SystemName } from '../contract.ts'
import { graphileWorker } from './graphile-worker.ts'
import { outbus } from './outbus.ts'
import { pgBoss } from './pg-boss.ts'
import { raw } from './raw.ts'

export const systems: Readonly<Record<SystemName, System>> = {
  outbus,
  'graphile-worker': graphileWorker,
  'pg-boss': pgBoss,
  raw,
}
