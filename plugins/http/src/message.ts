/** What HTTP/1.1 does not allow in the head of a request and `node:http` lets pass: two readers could read it in two ways. */
import type { IncomingMessage } from 'node:http'

/** Those that say where a request goes, where it ends, or what its body is. Two of one name are two answers. */
const ONCE = new Set(['content-length', 'content-type', 'content-encoding', 'host', 'transfer-encoding'])

const VERSIONS = new Set(['1.0', '1.1'])

/** What is wrong; undefined where nothing is. */
export function problemOfMessage(
  incoming: Pick<IncomingMessage, 'rawHeaders' | 'url' | 'httpVersion'>,
): string | undefined {
  // HTTP/0.9 has no headers, so that nothing says where it ends.
  if (!VERSIONS.has(incoming.httpVersion)) return 'has a version that is not spoken here'
  const values = new Map<string, string>()
  for (let i = 0; i < incoming.rawHeaders.length; i += 2) {
    const name = (incoming.rawHeaders[i] as string).toLowerCase()
    if (!ONCE.has(name)) continue
    if (values.has(name)) return `has the header ${name} twice`
    values.set(name, incoming.rawHeaders[i + 1] as string)
  }
  // RFC 9112, 6.1: the way to put a request into another one.
  if (values.has('transfer-encoding') && values.has('content-length')) return 'says in two ways where it ends'
  const coding = values.get('transfer-encoding')
  // RFC 9112, 6.1 and 7: HTTP/1.0 knows no chunks, and a coding that is not undone would be taken for the body.
  if (coding !== undefined && (incoming.httpVersion === '1.0' || coding.trim().toLowerCase() !== 'chunked'))
    return 'has a transfer coding that is not read here'
  const host = values.get('host') ?? ''
  if (!HOST.test(host) || (host !== '' && URL.parse(`http://${host}`) === null)) return 'has a host that is none'
  return problemOfTarget(incoming.url ?? '', host)
}

/** A name, an IPv4 address or an IPv6 one in brackets, and a port. Empty: the target has no host, or HTTP/1.0 says none. */
const HOST = /^(?:[\w.-]+|\[[\da-f:.]+\])?(?::\d{1,5})?$/i

/** A path, or the whole URL of the host that the header names (RFC 9112, 3.2.2). A server must go by the URL: no two hosts then. */
function problemOfTarget(target: string, host: string): string | undefined {
  // Some readers take a backslash for a slash.
  if (/^[^?]*\\/.test(target)) return 'has a backslash in its path'
  if (target.startsWith('/')) return undefined
  const url = URL.parse(target)
  if (url === null || !/^https?:$/.test(url.protocol)) return 'has a target that is no path'
  if (url.username !== '' || url.password !== '') return 'has credentials in its URL'
  return URL.parse(`${url.protocol}//${host}`)?.host === url.host ? undefined : 'names two hosts'
}
