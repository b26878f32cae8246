import { withClient } from '@outbus/test-kit/connections'
import { expect, inject, test } from 'vitest'
import { startEnvironment } from './environment.ts'
import type { Environment } from './environment.ts'
import { SCHEMA } from './settings.ts'

const kind = inject('postgresKind')

/** What `environment` gives the processes of a kind, asked through their proxy. */
async function rightsOf(environment: Environment, as: 'dispatcher' | 'emitter') {
  const { rows } = await withClient({ connectionString: environment.urlFor(as) }, (client) =>
    client.query<Record<string, boolean>>(
      `select usesuper as superuser, pg_has_role('outbus_migrator', 'member') as migrates,
        has_table_privilege('${SCHEMA}.outbox', 'delete') as settles,
        has_column_privilege('${SCHEMA}.outbox', 'event', 'insert') as emits,
        has_table_privilege('faults_marks', 'insert') as marks, has_table_privilege('faults_ledger', 'insert') as keeps,
        has_table_privilege('faults_pulse', 'select') or has_table_privilege('faults_ledger', 'update') as more
      from pg_user where usename = current_user`,
    ),
  )
  return rows[0]
}

test.runIf(kind === 'embedded' || kind === 'system')(
  'each process of a run has the rights of its task and no more: otherwise no run would notice that one is missing',
  async () => {
    await using environment = await startEnvironment()
    const none = { superuser: false, migrates: false, more: false }
    expect(await rightsOf(environment, 'dispatcher')).toEqual({
      ...none,
      settles: true,
      emits: true,
      marks: false,
      keeps: true,
    })
    expect(await rightsOf(environment, 'emitter')).toEqual({
      ...none,
      settles: false,
      emits: true,
      marks: true,
      keeps: false,
    })
    await expect(environment.reader.query('insert into faults_marks values ($1)', ['a'])).rejects.toThrow(
      'permission denied for table faults_marks',
    )
  },
)
