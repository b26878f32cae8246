/** Everything that is done to the bus. */
import type { Fault } from '../world.ts'
import { CLOCK_FAULTS } from './clock.ts'
import { CONNECTION_FAULTS } from './connections.ts'
import { CONTENTION_FAULTS } from './contention.ts'
import { DISK_FAULTS } from './disk.ts'
import { JIT_FAULTS } from './jit.ts'
import { MIGRATION_FAULTS } from './migration.ts'
import { NETWORK_FAULTS } from './network.ts'
import { POSTGRES_FAULTS } from './postgres.ts'
import { PROCESS_FAULTS } from './process.ts'
import { READ_ONLY_FAULTS } from './read-only.ts'
import { REWIND_FAULTS } from './rewind.ts'

export const FAULTS: readonly Fault[] = [
  ...PROCESS_FAULTS,
  ...POSTGRES_FAULTS,
  ...CONNECTION_FAULTS,
  ...NETWORK_FAULTS,
  ...DISK_FAULTS,
  ...CONTENTION_FAULTS,
  ...CLOCK_FAULTS,
  ...MIGRATION_FAULTS,
  ...READ_ONLY_FAULTS,
  ...REWIND_FAULTS,
  ...JIT_FAULTS,
]
