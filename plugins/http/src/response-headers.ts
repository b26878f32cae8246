/** Which headers a handler's response may have. What it may not have is the connection's own affair, or would change where it ends. */

/** Names of RFC 9110, 7.6.1 and 9112: hop by hop, or of how a message is framed. And everything that begins with `proxy-`. */
const OF_THE_CONNECTION = new Set([
  'connection',
  'content-length',
  'http2-settings',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

const NAME = /^[\w!#$%&'*+.^`|~-]+$/
/** Visible latin-1, blanks and tabs: no CR, LF or NUL, and nothing that an encoding could turn into one. */
const VALUE = /^[\t\u0020-\u007e\u0080-\u00ff]*$/

/** What is wrong with one header, for a message after its name; undefined where nothing is. */
export function headerProblem(name: string, value: string): string | undefined {
  const lowerCase = name.toLowerCase()
  if (!NAME.test(name)) return 'is not the name of a header'
  if (OF_THE_CONNECTION.has(lowerCase) || lowerCase.startsWith('proxy-'))
    return 'is set by the server: it belongs to the connection, not to the response'
  return VALUE.test(value) ? undefined : 'has a character that no header may have'
}

/** Browsers take a response for what its `content-type` says, and for nothing else. */
const DEFAULTS = { 'x-content-type-options': 'nosniff' }

export type HeaderValues = Readonly<Record<string, string | readonly string[]>>

/** Adds the defaults, which given headers replace. The given headers have been checked before. */
export function responseHeaders(given: HeaderValues = {}): Headers {
  const headers = new Headers(DEFAULTS)
  for (const [name, values] of Object.entries(given)) {
    headers.delete(name)
    for (const value of [values].flat()) headers.append(name, value)
  }
  return headers
}
