/** From a request to what its event carries of it: path, query and headers, without credentials. */
import { CAUSALITY_HEADER, SIGNATURE_HEADER } from './causality.ts'
import { withoutSecretQuery } from './secrets.ts'
import type { Secrets } from './secrets.ts'

/** These belong to the listener alone, whatever headers the event is to carry. */
const OWN = new Set([CAUSALITY_HEADER, SIGNATURE_HEADER])

export interface Carried {
  /** The names of headers that the event carries, lower case. Undefined: all that are not secret. */
  readonly headers?: readonly string[] | undefined
  readonly secrets: Secrets
}

export function carriedOf(request: Request, { headers, secrets }: Carried) {
  const { pathname, searchParams } = new URL(request.url)
  return {
    path: pathname,
    query: queryOf(searchParams, secrets),
    headers: headersOf(request.headers, headers, secrets),
  }
}

/** In one pass: a query of ten thousand names costs ten thousand steps. A name that comes several times has a list. */
function queryOf(search: URLSearchParams, { isSecretQuery }: Secrets): Record<string, string | string[]> {
  const query = new Map<string, string | string[]>()
  for (const [name, value] of search) {
    const before = query.get(name)
    if (before === undefined) {
      if (!isSecretQuery(name)) query.set(name, value)
    } else if (typeof before === 'string') query.set(name, [before, value])
    else before.push(value)
  }
  return Object.fromEntries(query)
}

function headersOf(
  headers: Headers,
  wanted: readonly string[] | undefined,
  { isSecretHeader, isSecretQuery, isNamedSecret }: Secrets,
): Record<string, string> {
  const isCarried =
    wanted === undefined
      ? (name: string) => !isSecretHeader(name)
      : (name: string) => wanted.includes(name) && !isNamedSecret.has(name)
  return Object.fromEntries(
    [...headers]
      .filter(([name]) => !OWN.has(name) && isCarried(name))
      .map(([name, value]) => [name, withoutSecretQuery(value, isSecretQuery)]),
  )
}
