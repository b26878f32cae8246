import type { System, SystemName } from '../contract.ts'

/** Loaded one by one: a process that measures one system has no other one in its memory. */
export async function loadSystem(name: SystemName): Promise<System> {
  switch (name) {
    case 'outbus':
      return (await import('./outbus.ts')).outbus
    case 'graphile-worker':
      return (await import('./graphile-worker.ts')).graphileWorker
    case 'pg-boss':
      return (await import('./pg-boss.ts')).pgBoss
    case 'bullmq':
      return (await import('./bullmq.ts')).bullmq
    case 'raw':
      return (await import('./raw.ts')).raw
  }
}
