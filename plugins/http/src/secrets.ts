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
  'assertion',
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
  'customer',
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
  'webhook',
]
/** These stand at the end of the name, or are all of it. */
const LAST = [
  'auth',
  'bearer',
  'dpop',
  'otp',
  'pass',
  'pin',
  'pw',
  'pwd',
  'sid',
  '(?:otp|pin|mfa|2fa|recovery)[-_.]?code',
]
const HEADER = new RegExp(
  `(?:${WORDS.join('|')})|(?:^|[-_.])(?:${KEYS.join('|')})[-_.]?key(?:$|[-_.])|(?:^|[-_.])(?:${LAST.join('|')})$`,
)

/** Of the query, only names that carry nothing else: `?token=` of a link in a mail is what its handler needs. */
const QUERY = new RegExp(
  [
    '^(?:x[-_])?(?:access|api|auth|bearer|id|refresh|security|session)[-_]?token$',
    '^(?:x[-_])?(?:api|private|secret)[-_]?key$',
    '^(?:(?:client|app|application)[-_]?)?secret$',
    '^client[-_]?assertion$',
    '^(?:pass(?:word|wd)?|pwd)$',
    '^(?:authorization|bearer|jwt)$',
    '^(?:sid|session[-_]?id)$',
    // Signed URLs have these.
    '^(?:x-(?:amz|goog)-(?:credential|security-token|signature)|sig)$',
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

/** A URL, or whatever else has a query in it, such as the value of `referer`: without what is secret there. */
export function withoutSecretQuery(value: string, isSecretQuery: (name: string) => boolean): string {
  const query = value.indexOf('?')
  if (query < 0) return value
  const kept = value
    .slice(query + 1)
    .split('&')
    .filter((pair) => !isSecretQuery([...new URLSearchParams(pair).keys()][0] ?? ''))
  return `${value.slice(0, query + 1)}${kept.join('&')}`
}

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
