/** A database of its own, migrated by its migrator, whose processes have no more rights than they need. */
import { createBus, grantRoles } from '@outbus/core'
import { kv } from '@outbus/kv'
import { schedule } from '@outbus/schedule'
import { prepareRoles, TEST_ROLES, urlAs } from '@outbus/test-kit'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'

export type Login = Parameters<typeof urlAs>[1]

export async function migratedWithRoles() {
  const db = await useTestDatabase()
  await prepareRoles(db.adminUrl)
  const as = (login: Login) => urlAs(db.adminUrl, login)
  const migrator = as('outbus_migrator')
  const migrating = await createBus({
    database: migrator,
    plugins: [kv(), schedule()],
    migrate: true,
    log: pino({ level: 'silent' }),
  })
  await migrating.stop()
  await grantRoles(migrator, { roles: TEST_ROLES })
  return { db, as }
}
