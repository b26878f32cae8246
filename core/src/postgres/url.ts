/**
 * A `postgres://` URL, before anything is opened with it. `pg` throws a bare TypeError at some, and takes the host for something
 * else at others; both have the password in what they say.
 */
import pg from 'pg'
import { OutbusError } from '../errors.ts'

/** What a refusal calls it, and where it stands. */
export type UrlPath = 'database' | 'listenUrl'

const ENCODE = 'percent-encode them, as encodeURIComponent does: # is %23, / is %2F, ? is %3F, @ is %40'

/** Refuses what is no URL of Postgres, or one that `pg` would misread. The URL is never shown: it has a password in it. */
export function assertPostgresUrl(url: unknown, path: UrlPath): asserts url is string {
  if (typeof url !== 'string' || !/^(postgres(ql)?:\/\/|socket:|\/)/.test(url)) {
    throw refused(path, `is a postgres:// URL${path === 'database' ? ' or a pg.Pool' : ''}`)
  }
  assertReadable(url, path)
}

/** The same for the URL of a caller's own pool, which may have none. */
export function assertReadable(url: string, path: UrlPath): void {
  const [, rest] = /^postgres(?:ql)?:\/\/(.*)$/s.exec(url) ?? []
  if (rest !== undefined) assertParts(rest, path)
  try {
    // Made and thrown away: that reads the URL, and the files of certificates that it names.
    void new pg.Client({ connectionString: url })
  } catch (error) {
    const { syscall, message } = error as NodeJS.ErrnoException
    // A missing file says its name. What else there is to say may have a part of the URL in it.
    if (syscall !== undefined) throw refused(path, `names a file that cannot be read: ${message}`)
    throw refused(path, 'is not a URL that can be read', `if its user or password has #, /, ?, @ or %, ${ENCODE}`)
  }
}

/** `rest` is what follows the two slashes. */
function assertParts(rest: string, path: UrlPath): void {
  const [authority = ''] = /^[^/?#]*/.exec(rest) ?? []
  const [, file = '', query] = /^([^?#]*)(?:\?(.*))?$/s.exec(rest.slice(authority.length)) ?? []
  // What comes after the first of these was meant for the password, and the host for a host.
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

/** Such as `ss@h/d`, of a password `pa?ss`. What has a value may have an @ in it: `user=ada@tenant`. */
function isCutOff(query: string): boolean {
  return query.split('&').some((pair) => {
    const [name = '', value] = pair.split('=', 2)
    return name.includes('@') || (value !== undefined && /^[^/]*@[^/]*\//.test(value))
  })
}

function refused(path: UrlPath, problem: string, hint?: string): OutbusError {
  return new OutbusError('options.invalid', `${path} ${problem}`, { path, ...(hint === undefined ? {} : { hint }) })
}
