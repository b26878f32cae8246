import { defineConfig } from 'vitest/config'
import { hasOlderCommit } from './test/integration/workers/older-commit.ts'
import { findPgBouncer } from './test/kit/src/pgbouncer.ts'
import { findSystemPostgres, systemPostgresMajor } from './test/kit/src/system-postgres.ts'

/** The major version of the embedded Postgres. */
const EMBEDDED = 18

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
]

/** Of what the embedded Postgres does not bring along: `pg_dump`, `pg_restore`, `pg_basebackup`, JIT. */
const onSystem = [
  'test/integration/failover.test.ts',
  'test/integration/jit.test.ts',
  'test/integration/replica-endpoint.test.ts',
  'test/integration/restored.test.ts',
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
if (postgresKinds().every(({ kind }) => kind !== 'system'))
  for (const file of onSystem) process.stderr.write(`not run: ${file}, for it needs a Postgres of the system's\n`)

export default defineConfig({
  // The workspaces run from source. This condition alone: adding `import` or `module` here breaks pg.
  ssr: { resolve: { conditions: ['outbus-source'] } },
  test: {
    exclude: ['**/node_modules/**', '**/dist/**', ...notHere],
    // Two cores, and Postgres wants one of them.
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: [
            '{core,migrations,demo,bench,scaffold}/src/**/*.test.ts',
            'plugins/*/src/**/*.test.ts',
            'test/kit/src/**/*.test.ts',
            'test/faults/**/*.test.ts',
          ],
          exclude: ['**/*.int.test.ts'],
        },
      },
      ...postgresKinds().map(({ name, kind }) => ({
        extends: true as const,
        test: {
          name,
          include: integration,
          exclude: [
            '**/node_modules/**',
            '**/dist/**',
            ...notHere,
            ...(name === 'postgres' || kind === 'embedded' ? [] : onOne),
            ...(kind === 'system' ? [] : onSystem),
          ],
          globalSetup: ['./test/kit/src/global-setup.ts'],
          setupFiles: underConditions() ? ['./test/kit/src/setup.ts'] : [],
          provide: { postgresKind: kind },
        },
      })),
    ],
  },
})

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
