import { inspect } from 'node:util'
import { openPool } from '@outbus/test-kit/connections'
import { describe, expect, test } from 'vitest'
import { createBus } from '../bus.ts'
import { isOutbusError } from '../errors.ts'
import { grantRoles } from '../roles/grant-roles.ts'
import { enableRowSecurity } from '../roles/row-security.ts'
import { assertPostgresUrl } from './url.ts'

const SEVERAL = /several hosts, which pg does not support/
const ENCODED = /percent-encode/

/** `hunter2` is the password, or a part of it. */
const REFUSED: readonly (readonly [what: string, url: string, message: RegExp])[] = [
  ['several hosts', 'postgres://u:hunter2@h1,h2/d', SEVERAL],
  ['several hosts with ports', 'postgres://u:hunter2@h1:5432,h2:5433/d', SEVERAL],
  ['several hosts in the query', 'postgresql://u:hunter2@/d?host=h1,h2', SEVERAL],
  ['a # in the password', 'postgres://u:hun#hunter2@h/d', ENCODED],
  ['a # after a number', 'postgres://u:12#hunter2@h/d', ENCODED],
  ['a / in the password', 'postgres://u:hun/hunter2@h/d', ENCODED],
  ['a / after a number', 'postgres://u:12/hunter2@h/d', ENCODED],
  ['a / after an @', 'postgres://u:a@b/hunter2@h/d', ENCODED],
  ['a ? in the password', 'postgres://u:hun?hunter2@h/d', ENCODED],
  ['a ? after a number', 'postgres://u:12?hunter2@h/d', ENCODED],
  ['a ? and a = in the password', 'postgres://u:12?hunter2=x@h/d', ENCODED],
  ['a # in a password of the query', 'postgres://h/d?user=u&password=hunter2#x', ENCODED],
  ['what is no UTF-8 in the password', 'postgres://u:hunter2%ff@h/d', ENCODED],
  ['a port that is none', 'postgres://u:hunter2@h:five/d', /is not a URL that can be read/],
  ['a port that is too large', 'postgres://u:hunter2@h:70000/d', /is not a URL that can be read/],
  ['brackets that do not close', 'postgres://u:hunter2@[::1/d', /is not a URL that can be read/],
  ['a certificate that is not there', 'postgres://u:hunter2@h/d?sslrootcert=/nowhere/ca.crt', /\/nowhere\/ca\.crt/],
  ['another scheme', 'mysql://u:hunter2@h/d', /is a postgres:\/\/ URL/],
]

const TAKEN: readonly string[] = [
  'postgres://h/d',
  'postgresql://u@h:5432/d?sslmode=disable',
  'postgres://u:p@[::1]:5432/d',
  'postgres://u:hun%23t%2Fe%3Fr%402@h/d',
  'postgres://u:p@ss@h/d',
  'postgres://u:100%@h/d',
  'postgres://u:with blank@h/d',
  'postgres:///d',
  'postgres://u:p@/d?host=/var/run/postgresql',
  'postgres://%2Fvar%2Frun%2Fpostgresql/d',
  'postgres://h/d?user=ada@tenant&password=p',
  'postgres://h/d?options=-c%20search_path%3Da,b',
  'socket:/var/run/postgresql?db=d',
  '/var/run/postgresql d',
]

describe('a URL', () => {
  test.for(REFUSED)('with %s is refused, and shows no password', async ([, url, message]) => {
    const pool = openPool({ connectionString: url })
    const doors: readonly (readonly [path: string, open: () => Promise<unknown>])[] = [
      ['database', () => createBus({ database: url })],
      ['listenUrl', () => createBus({ database: 'postgres://h/d', listenUrl: url })],
      ['database', () => grantRoles(url, { roles: { migrator: 'm', dispatcher: 'd', emitter: 'e', reader: 'r' } })],
      ['database', () => enableRowSecurity(url, { allApps: ['d'] })],
      ...(url.startsWith('mysql') ? [] : [['database', () => createBus({ database: pool })] as const]),
    ]
    for (const [path, open] of doors) {
      const error: unknown = await open().catch((refusal: unknown) => refusal)
      expect(isOutbusError(error, 'options.invalid') && error.path).toBe(path)
      expect(String(error)).toMatch(message)
      expect(inspect(error, { depth: 10, showHidden: true }) + JSON.stringify(error)).not.toContain('hunter2')
    }
  })

  test.for(TAKEN)('%s is taken', (url) => {
    expect(() => assertPostgresUrl(url, 'database')).not.toThrow()
  })
})
