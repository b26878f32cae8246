/**
 * Who logs in to a test server besides its superuser. Apart from `roles.ts`, for vitest's global setup: that runs outside vitest's
 * resolution, where core is there only once it has been built.
 */
export const TEST_ROLES = {
  migrator: 'outbus_migrator',
  dispatcher: 'outbus_dispatcher',
  emitter: 'outbus_emitter',
  reader: 'outbus_reader',
} as const

/** Who log in, and what they are members of. `outbus_service` both emits and dispatches. */
export const TEST_LOGINS = {
  outbus_migrator: [],
  outbus_dispatching: [TEST_ROLES.dispatcher],
  outbus_emitting: [TEST_ROLES.emitter],
  outbus_reading: [TEST_ROLES.reader],
  outbus_service: [TEST_ROLES.dispatcher, TEST_ROLES.emitter],
} as const

export const TEST_PASSWORD = 'outbus'

/** Names and passwords of all who may log in: the superuser of `serverUrl` and these. */
export function loginsOf(serverUrl: string): Record<string, string> {
  const { username, password } = new URL(serverUrl)
  const logins = Object.keys(TEST_LOGINS).map((login) => [login, TEST_PASSWORD])
  return { [username]: password, ...(Object.fromEntries(logins) as Record<string, string>) }
}

/** The URL of the same database for one of the logins. */
export function urlAs(url: string, login: keyof typeof TEST_LOGINS): string {
  const as = new URL(url)
  as.username = login
  as.password = TEST_PASSWORD
  return as.href
}
