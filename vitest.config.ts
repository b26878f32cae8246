/**
 * Which tests run where.
 *
 *   npm test            unit tests, everything but `soaks` on the embedded Postgres, and `compatibility` on the system's
 *   npm run test:all    everything on both
 *   npm run test:rest   what test:all has beyond npm test: CI runs it as a step of its own
 *
 * `OUTBUS_TEST_POSTGRES` chooses one Postgres, and then everything runs on that one.
 */
import { globSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { hasOlderCommit } from './test/integration/workers/older-commit.ts'
import { findPgBouncer } from './test/kit/src/pgbouncer.ts'
import { findSystemPostgres, systemPostgresMajor } from './test/kit/src/system-postgres.ts'

/** The major version of the embedded Postgres. */
const EMBEDDED = 18

const unit = [
  '{core,migrations,demo,bench,scaffold}/src/**/*.test.ts',
  'plugins/*/src/**/*.test.ts',
  'test/*.test.ts',
  'test/kit/src/**/*.test.ts',
  'test/faults/**/*.test.ts',
  'test/fuzz/**/*.test.ts',
  'test/reference/**/*.test.ts',
]
/** What stands in the place of a module or a timer has to be there before core is imported: such a file has its modules for itself. */
const REPLACES = /\bvi\.(mock|doMock|hoisted|useFakeTimers|stub\w+|resetModules)\(/
const isolated = unit
  .flatMap((pattern) => globSync(pattern, { cwd: import.meta.dirname }))
  .filter((file) => !file.endsWith('.int.test.ts'))
  .filter((file) => REPLACES.test(readFileSync(join(import.meta.dirname, file), 'utf8')))

const integration = [
  'core/src/**/*.int.test.ts',
  'plugins/*/src/**/*.int.test.ts',
  'plugin-template/*/src/**/*.int.test.ts',
  'test/kit/src/**/*.int.test.ts',
  'test/integration/**/*.test.ts',
  'test/security/**/*.test.ts',
  'test/faults/**/*.int.test.ts',
]

/** Long, and the same with any Postgres: with the embedded one alone, unless another one is chosen. */
const onOne = [
  'test/faults/failpoints/**',
  'test/faults/mutants/**',
  'test/integration/hostile-arguments.test.ts',
  'test/integration/older-processes.test.ts',
  'test/integration/handlers-that-end-processes.test.ts',
  'test/security/columns.test.ts',
]

/**
 * Many seconds of load, or of processes that die, in each of their tests: these are for `npm run test:rest`, a step of CI. Nothing
 * else is here: what a change of every day breaks is found by `npm test`.
 */
const soaks = ['test/faults/{failpoints,mutants}/*.int.test.ts', 'test/integration/pinned-trickle.test.ts']

/** Of what the embedded Postgres does not bring along: `pg_dump`, `pg_restore`, `pg_basebackup`, JIT. */
const onSystem = [
  'test/integration/failover.test.ts',
  'test/integration/jit.test.ts',
  'test/integration/replica-endpoint.test.ts',
  'test/integration/restored.test.ts',
]

/**
 * What `npm test` runs on the system's Postgres as well. The rule: a file is here if its subject is what the server does, so
 * that another version may answer otherwise. That is how statements are parsed and planned, which settings a session begins
 * with, locks, roles and row security, the catalogue, how connections end, and which errors say so. `session-defaults` runs
 * each verb of the bus and of kv once, the conformance of docs and schedule theirs. What the bus alone decides is not here.
 */
const compatibility = [
  ...onSystem,
  'core/src/migrate/*.int.test.ts',
  'core/src/postgres/*.int.test.ts',
  'core/src/sql/**/*.int.test.ts',
  'plugins/docs/src/docs.int.test.ts',
  'plugins/kv/src/kv.int.test.ts',
  'plugins/schedule/src/schedule.int.test.ts',
  'test/integration/claim-plan.test.ts',
  'test/integration/database-errors.test.ts',
  'test/integration/emit.test.ts',
  'test/integration/encodings.test.ts',
  'test/integration/epochs.test.ts',
  'test/integration/first-use.test.ts',
  'test/integration/grant-roles.test.ts',
  'test/integration/handler-sessions.test.ts',
  'test/integration/lost-connections.test.ts',
  'test/integration/ordered.test.ts',
  'test/integration/ordering-locks.test.ts',
  'test/integration/pgbouncer.test.ts',
  'test/integration/portions.test.ts',
  'test/integration/postgres-restarts.test.ts',
  'test/integration/replica-sessions.test.ts',
  'test/integration/roles.test.ts',
  'test/integration/row-security.test.ts',
  'test/integration/session-changes.test.ts',
  'test/integration/session-defaults.test.ts',
  'test/integration/transactional.test.ts',
  'test/integration/types-of-the-application.test.ts',
  'test/kit/src/postgres.int.test.ts',
  'test/security/across-apps.test.ts',
  'test/security/locks-held-by-others.test.ts',
  'test/security/rights-of-roles.test.ts',
]

/** Of a program that this machine may not have. */
const PGBOUNCER_TEST = 'test/integration/pgbouncer.test.ts'
const OLDER_TEST = 'test/integration/older-processes.test.ts'
const notHere = [
  ...(findPgBouncer() === undefined ? [[PGBOUNCER_TEST, 'there is no pgbouncer on this system'] as const] : []),
  ...(hasOlderCommit() ? [] : [[OLDER_TEST, 'git does not have the commit that it runs processes of'] as const]),
].map(([file, why]) => {
  // Not through vitest, whose reporters would not say it: a test that is not run is told by name.
  process.stderr.write(`not run: ${file}, for ${why}\n`)
  return file
})
/** `npm test` and `npm run test:rest` are modes of vitest, so that no shell has to set a variable. */
const SHORT = 'short'
const REST = 'rest'

// Compiled code is kept for the next process that loads it: workers of vitest load the same packages for each file, and the
// processes that tests start load the same sources. A start of these takes 0.15 s of a core instead of 0.36 s.
process.env['NODE_COMPILE_CACHE'] ??= fileURLToPath(new URL('node_modules/.cache/compiled-for-tests', import.meta.url))

if (postgresKinds().every(({ kind }) => kind !== 'system'))
  for (const file of onSystem) process.stderr.write(`not run: ${file}, for it needs a Postgres of the system's\n`)

export default defineConfig(({ mode }) => ({
  // The workspaces run from source. This condition alone: adding `import` or `module` here breaks pg.
  ssr: { resolve: { conditions: ['outbus-source'] } },
  test: {
    exclude: ['**/node_modules/**', '**/dist/**', ...notHere],
    // Two for each core: most of the longest files wait, for leases, retries and pg-boss. A server has 300 connections.
    maxWorkers: Math.min(8, 2 * availableParallelism()),
    // Far beyond what a test takes, for a machine that has other work to do.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // A state that is waited for comes; a busy machine takes longer than the second that vitest waits by itself.
    expect: { poll: { timeout: 20_000 } },
    reporters: ['default', './test/test-times.ts'],
    projects: [
      unitProject('unit', { include: mode === REST ? [] : unit, exclude: isolated, isolate: false }),
      unitProject('unit-isolated', { include: mode === REST ? [] : isolated, exclude: [], isolate: true }),
      ...postgresKinds().map(({ name, kind }) => {
        const second = name !== 'postgres' && kind !== 'embedded'
        return {
          extends: true as const,
          test: {
            name,
            include: second && mode === SHORT ? compatibility : !second && mode === REST ? soaks : integration,
            exclude: [
              '**/node_modules/**',
              '**/dist/**',
              ...notHere,
              ...(second ? onOne : []),
              ...(mode === REST ? compatibility : []),
              ...(mode === SHORT ? soaks : []),
              ...(kind === 'system' ? [] : onSystem),
            ],
            globalSetup: ['./test/kit/src/global-setup.ts'],
            // setup.ts has a mock in the place of core.
            isolate: underConditions(),
            setupFiles: underConditions() ? ['./test/kit/src/setup.ts'] : ['./test/kit/src/each-file.ts'],
            provide: { postgresKind: kind },
          },
        }
      }),
    ],
  },
}))

/** Files that are not isolated share the modules of their process: to import them anew is a sixth of the time of all tests. */
function unitProject(
  name: string,
  { include, exclude, isolate }: Record<'include' | 'exclude', string[]> & { isolate: boolean },
) {
  return {
    extends: true as const,
    test: { name, include, exclude: ['**/node_modules/**', '**/*.int.test.ts', ...exclude], isolate },
  }
}

/** Buses under roles that are no superuser's, or behind a pooler: see setup.ts. */
function underConditions(): boolean {
  return Boolean(process.env['OUTBUS_TEST_ROLES'] || process.env['OUTBUS_TEST_POOLER'])
}

/** One project for each Postgres: the one in OUTBUS_TEST_POSTGRES, or the embedded one and the system's. */
function postgresKinds(): { name: string; kind: string }[] {
  const chosen = process.env['OUTBUS_TEST_POSTGRES']
  if (chosen) return [{ name: 'postgres', kind: chosen }]
  const kinds = [{ name: `postgres-${EMBEDDED}`, kind: 'embedded' }]
  const bin = findSystemPostgres()
  const major = bin === undefined ? EMBEDDED : systemPostgresMajor(bin)
  if (major !== EMBEDDED) kinds.push({ name: `postgres-${major}`, kind: 'system' })
  return kinds
}
