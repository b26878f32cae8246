/**
 * Checks a `postgres://` URL before use. `pg` throws a bare TypeError at some URLs and misreads the host of others, and
 * shows the password in both cases.
 */
import pg from 'pg'
import { OutbusError } from '../errors.ts'

/** What a refusal calls the URL, and where it stands. */
export type UrlPath = 'database' | 'listenUrl'

const ENCODE = 'percent-encode them, as encodeURIComponent does: # is %23, / is %2F, ? is %3F, @ is %40'

/**
 * Refuses what is no URL of Postgres, or one that `pg` would misread. Never shows the URL, which contains a password.
 */
export function assertPostgresUrl(url: unknown, path: UrlPath): asserts url is string {
  if (typeof url !== 'string' || !/^(postgres(ql)?:\/\/|socket:|\/)/.test(url)) {
    throw refused(path, `is a postgres:// URL${path === 'database' ? ' or a pg.Pool' : ''}`)
  }
  assertReadable(url, path)
}

/** Checks the URL of a caller's pool, if it has one. */
export function assertReadable(url: string, path: UrlPath): void {
  const [, rest] = /^postgres(?:ql)?:\/\/(.*)$/s.exec(url) ?? []
  if (rest !== undefined) assertParts(rest, path)
  try {
    // Reads the URL and the certificate files that it names, and is thrown away.
    void new pg.Client({ connectionString: url })
  } catch (error) {
    const { syscall, message } = error as NodeJS.ErrnoException
    // A missing file says its name. Any other message may contain a part of the URL.
    if (syscall !== undefined) throw refused(path, `names a file that cannot be read: ${message}`)
    throw refused(path, 'is not a URL that can be read', `if its user or password has #, /, ?, @ or %, ${ENCODE}`)
  }
}

/** `rest` follows the two slashes. */
function assertParts(rest: string, path: UrlPath): void {
  const [authority = ''] = /^[^/?#]*/.exec(rest) ?? []
  const [, file = '', query] = /^([^?#]*)(?:\?(.*))?$/s.exec(rest.slice(authority.length)) ?? []
  // What follows the first of these was meant for the password, and the host for a host.
  if (rest.includes('#') || file.includes('@') || (query !== undefined && isCutOff(query)))
    throw refused(path, 'has #, /, ? or @ in its user, password or database as they are', ENCODE)
  const host = new URLSearchParams(query).get('host') ?? authority.slice(authority.lastIndexOf('@') + 1)
  if (host.includes(',')) {
    throw refused(
      path,
      'names several hosts, which pg does not support',
      'name one: a proxy, or an address that follows the primary',
    )
  }
}

/** Such as `ss@h/d`, from a password `pa?ss`. A value may contain an @: `user=ada@tenant`. */
function isCutOff(query: string): boolean {
  return query.split('&').some((pair) => {
    const [name = '', value] = pair.split('=', 2)
    return name.includes('@') || (value !== undefined && /^[^/]*@[^/]*\//.test(value))
  })
}

function refused(path: UrlPath, problem: string, hint?: string): OutbusError {
  return new OutbusError('options.invalid', `${path} ${problem}`, { path, ...(hint === undefined ? {} : { hint }) })
}
