/**
 * What a client may see: whole responses and nothing between them, statuses that are documented, headers that are the service's own
 * and never the client's. Pure.
 */

/** In everything that the fuzz sends where a header could come of it. */
export const CANARY = 'cnry'

export interface Sent {
  /** How many requests these bytes are, at most. Infinity: odd bytes may be read as any number of them, by whoever sent them. */
  readonly requests: number
  /** Its responses have no body. */
  readonly isHead: boolean
}

export interface Judged {
  readonly statuses: readonly number[]
  /** What is wrong with the answer. */
  readonly problems: readonly string[]
}

/** Of 5xx those that the README of `@outbus/http` has for a service whose handlers do not fail. */
const DOCUMENTED = new Set([501, 503])

/** Each header that a response of the fuzzed service may have, and what its value may be. */
const HEADERS: Readonly<Record<string, RegExp>> = {
  connection: /^(?:close|keep-alive)$/,
  'content-length': /^\d+$/,
  'content-type': /^(?:application\/json|text\/plain;charset=UTF-8)$/,
  // Of what Node answers by itself.
  'transfer-encoding': /^chunked$/,
  date: /^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/,
  'keep-alive': /^timeout=\d+$/,
  'x-content-type-options': /^nosniff$/,
  allow: /^(?:[A-Z]+(?:, )?)+$/,
  'retry-after': /^\d+$/,
  'accept-encoding': /^identity$/,
  'preference-applied': /^respond-async$/,
  'x-made': /^yes$/,
  'set-cookie': /^made=yes$/,
}

/** Reads the answer as a client would that trusts its lengths. */
export function judge(answer: Buffer, sent: Sent): Judged {
  const problems: string[] = []
  const statuses: number[] = []
  let at = 0
  while (at < answer.length) {
    const end = answer.indexOf('\r\n\r\n', at)
    if (end < 0) {
      problems.push(`${answer.length - at} bytes that are no head: ${shown(answer.subarray(at))}`)
      break
    }
    const head = answer.toString('latin1', at, end)
    const { status, headers } = readHead(head)
    if (status === undefined) {
      problems.push(`a head that is none: ${shown(answer.subarray(at, end))}`)
      break
    }
    statuses.push(status)
    problems.push(...problemsOfStatus(status, headers), ...problemsOfHeaders(headers))
    const next = hasBody(status, sent.isHead) ? endOfBody(answer, end + 4, headers) : end + 4
    if (next === undefined || next > answer.length) {
      problems.push(`a body of ${answer.length - end - 4} bytes that is not one`)
      break
    }
    at = next
  }
  const final = statuses.filter((status) => status >= 200).length
  if (final > sent.requests) problems.push(`${final} responses to ${sent.requests} requests`)
  return { statuses, problems }
}

function readHead(head: string): { status: number | undefined; headers: Map<string, string> } {
  const [line = '', ...lines] = head.split('\r\n')
  const headers = new Map<string, string>()
  for (const each of lines) {
    const colon = each.indexOf(':')
    const name = each.slice(0, Math.max(0, colon)).toLowerCase()
    headers.set(headers.has(name) ? `${name} (again)` : name, each.slice(colon + 1).trim())
  }
  const [, status] = /^HTTP\/1\.1 (\d{3}) [ -~]*$/.exec(line) ?? []
  return { status: status === undefined ? undefined : Number(status), headers }
}

function problemsOfStatus(status: number, headers: ReadonlyMap<string, string>): string[] {
  if (status < 500) return []
  if (!DOCUMENTED.has(status)) return [`status ${status}`]
  return status === 503 && !headers.has('retry-after') ? ['a 503 without Retry-After'] : []
}

function problemsOfHeaders(headers: ReadonlyMap<string, string>): string[] {
  const problems: string[] = []
  for (const [name, value] of headers) {
    const allowed = Object.hasOwn(HEADERS, name) ? HEADERS[name] : undefined
    if (allowed?.test(value) !== true || value.includes(CANARY))
      problems.push(`header ${JSON.stringify(name)}: ${JSON.stringify(value.slice(0, 100))}`)
  }
  return problems
}

/** Undefined where its chunks are none. Where it says no length it is empty: nothing of the service lasts until the connection ends. */
function endOfBody(answer: Buffer, from: number, headers: ReadonlyMap<string, string>): number | undefined {
  if (headers.get('transfer-encoding') !== 'chunked') return from + Number(headers.get('content-length') ?? 0)
  for (let at = from; ;) {
    const end = answer.indexOf('\r\n', at)
    const size = /^[\da-f]{1,8}$/.exec(answer.toString('latin1', at, Math.max(at, end)))?.[0]
    if (size === undefined) return undefined
    at = end + 2 + Number.parseInt(size, 16) + 2
    if (size === '0') return at
  }
}

function hasBody(status: number, isHead: boolean): boolean {
  return !isHead && status >= 200 && status !== 204 && status !== 304
}

function shown(bytes: Buffer): string {
  return JSON.stringify(bytes.toString('latin1', 0, 80))
}
