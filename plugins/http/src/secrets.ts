/**
 * What of a request is a credential and is not stored with its event. All rules stand here: a service adds names of its own, or
 * takes some out, by the option `secrets`.
 */
import { z } from 'zod'

/** Anywhere in the name of a header: `x-api-key`, `x-auth-token`, `set-cookie`, `proxy-authorization`, `x_access_token`. */
const WORDS = [
  'authorization',
  'authentication',
  'cookie',
  'token',
  'secret',
  'passw(?:or)?d',
  'passphrase',
  'passcode',
  'credential',
  'jwt',
  'session',
  'csrf',
  'xsrf',
]
/** Before `key`: of `idempotency-key`, `sec-websocket-key` and the like nobody can make use. */
const KEYS = [
  'access',
  'account',
  'admin',
  '[a-z\\d]*api',
  'app',
  'application',
  'auth',
  'client',
  'encryption',
  'functions?',
  'license',
  'master',
  'private',
  'secret',
  'service',
  'shared',
  'signing',
  'ssh',
  'subscription',
  'user',
]
/** These stand at the end of the name, or are all of it. */
const LAST = ['auth', 'dpop', 'otp', 'pin', 'sid']
const HEADER = new RegExp(
  `(?:${WORDS.join('|')})|(?:^|[-_.])(?:${KEYS.join('|')})[-_.]?key(?:$|[-_.])|(?:^|[-_.])(?:${LAST.join('|')})$`,
)

/** Of the query, only names that carry nothing else: `?token=` of a link in a mail is what its handler needs. */
const QUERY = new RegExp(
  [
    '^(?:x[-_])?(?:access|auth|bearer|id|refresh|security|session)[-_]?token$',
    '^(?:x[-_])?api[-_]?key$',
    '^(?:client|app|application)[-_]?secret$',
    '^pass(?:word|wd)$',
    '^authorization$',
    // Signed URLs have these.
    '^x-(?:amz|goog)-(?:credential|security-token|signature)$',
  ].join('|'),
)

/** Which names are secret besides the defaults, and which of the defaults are not. In any case. */
export interface SecretNames {
  /** Names of headers that are not stored either. Default none. */
  readonly headers?: readonly string[]
  /** Names in the query that are not stored either. Default none. */
  readonly query?: readonly string[]
  /** Names that are stored although they look like a credential's. Default none. */
  readonly except?: readonly string[]
}

const names = z.array(z.string().toLowerCase()).default([])

export const secretsSchema = z
  .strictObject({ headers: names, query: names, except: names })
  .prefault({})
  .transform(({ headers, query, except }) => {
    const kept = new Set(except)
    const rule = (looksSecret: RegExp, added: readonly string[]) => {
      const secret = new Set(added)
      return (name: string) => {
        const lowerCase = name.toLowerCase()
        return secret.has(lowerCase) || (looksSecret.test(lowerCase) && !kept.has(lowerCase))
      }
    }
    return { isSecretHeader: rule(HEADER, headers), isSecretQuery: rule(QUERY, query), isNamedSecret: new Set(headers) }
  })

export type Secrets = z.output<typeof secretsSchema>
