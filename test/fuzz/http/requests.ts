/** Requests that no client would send: one kind of oddity after another, and several at once. The same ones for the same seed. Pure. */
import { pick } from '../../faults/random.ts'
import { CANARY } from './answers.ts'
import type { Sent } from './answers.ts'

export interface FuzzedRequest extends Sent {
  /** What is odd about it, for the report. */
  readonly kinds: readonly string[]
  /** Written one after the other. */
  readonly writes: readonly Buffer[]
  /** What the client does once it has written: waits for the answer, or goes. */
  readonly ends: 'waits' | 'goes' | 'half-closes'
}

type Random = () => number

/** A request before it is bytes. */
interface Draft {
  method: string
  target: string
  version: string
  headers: [name: string, value: string][]
  body: Buffer
  framing: 'length' | 'chunked' | 'none'
  lineEnd: string
  requests: number
  cuts: number
  ends: FuzzedRequest['ends']
}

/** Paths of the routes of `service.ts`. */
const PATHS = ['/echo', '/text', '/made', '/store/a', '/store/b', '/jobs', '/files/a/b', '/nowhere', '/']
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS', 'QUERY']
const ODD_METHODS = [
  'TRACE',
  'CONNECT',
  'PROPFIND',
  'PURGE',
  'LINK',
  'get',
  'G\0ET',
  'GET GET',
  '',
  'M-SEARCH',
  'PRI',
  'A'.repeat(300),
]

/** What a header, a name or a text may try. */
const TRICKS = [
  `\r\nset-cookie: ${CANARY}=1`,
  `\nset-cookie: ${CANARY}=1`,
  `\r\n\r\nHTTP/1.1 200 OK\r\nset-cookie: ${CANARY}=1\r\ncontent-length: 0\r\n\r\n`,
  '%0d%0aset-cookie:%20' + CANARY,
  '\u{560a}\u{560d}set-cookie: ' + CANARY,
  '\0',
  '\x7f',
  '\xff\xfe',
  '\ud800',
  '__proto__',
  'constructor',
  'constructor.prototype',
  '../../../../etc/passwd',
  '..%2f..%2fetc',
  '%2e%2e%2f',
  '..\\..\\',
  '%00',
  '%',
  '%zz',
  '%c0%ae%c0%ae/',
  '%ed%a0%80',
  "' or 1=1 --",
  '{schema}',
  '$1',
  '<script>alert(1)</script>',
  '${7*7}',
  '*',
  ':id',
  '\u202e',
  'A'.repeat(3_000),
]

const RESPONSES = [
  { status: 302, headers: { location: `https://${CANARY}.example/`, 'set-cookie': `${CANARY}=1` } },
  { status: 200, headers: { 'content-length': '5' }, body: `helloHTTP/1.1 200 OK\r\nset-cookie: ${CANARY}=1\r\n\r\n` },
  { status: 200, headers: { 'content-type': 'text/html', [CANARY]: '1' }, body: '<script>' },
  { status: 99 },
  { headers: { 'transfer-encoding': 'chunked' }, body: `0\r\n\r\n${CANARY}` },
]

const HEADERS = [
  'accept',
  'authorization',
  'content-encoding',
  'content-type',
  'cookie',
  'expect',
  'host',
  'if-none-match',
  'origin',
  'outbus-causality',
  'outbus-causality-signature',
  'prefer',
  'range',
  'referer',
  'te',
  'trailer',
  'traceparent',
  'upgrade',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-http-method-override',
  'x-original-url',
  '__proto__',
  'constructor',
  'content-length',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'http2-settings',
  'proxy-connection',
]

const VALUES = [
  `depth=7;chain=`,
  'depth=9999;root=01890000-0000-7000-8000-000000000001;chain=01890000-0000-7000-8000-000000000002',
  't=1,v1=' + 'a'.repeat(64),
  'respond-async',
  'respond-async, wait=100',
  'gzip',
  'chunked',
  'chunked, chunked',
  'identity',
  '100-continue',
  'close, ' + CANARY,
  'keep-alive, upgrade',
  'h2c',
  'websocket',
  'trailers',
  'bytes=0-1',
  'DELETE',
  'application/json',
  'text/html',
  'text/plain; charset=utf-7',
  'multipart/form-data; boundary=x',
  '0',
  '-1',
  '1e3',
  '0x10',
  '99999999999999999999',
  '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  'localhost:99999',
  '[::1]',
  CANARY,
  '',
]

const BODIES: readonly ((random: Random) => string)[] = [
  () => '',
  () => '{',
  () => '{"a":1,"a":2}',
  () => '{"__proto__":{"polluted":true}}',
  () => '{"constructor":{"prototype":{"polluted":true}}}',
  () => '1e400',
  () => '9007199254740993',
  () => '"\\u0000"',
  () => '"\\ud800"',
  () => '[' + '['.repeat(5_000) + ']'.repeat(5_000) + ']',
  () => '{"a":'.repeat(5_000) + '1' + '}'.repeat(5_000),
  (random) => JSON.stringify({ 'outbus.http.response': pick(RESPONSES, random) }),
  (random) =>
    JSON.stringify({ as: 'http.response', ok: true, value: { 'outbus.http.response': pick(RESPONSES, random) } }),
  (random) => JSON.stringify(pick(TRICKS, random)),
  (random) => JSON.stringify({ [pick(TRICKS, random)]: pick(TRICKS, random) }),
  (random) => JSON.stringify(Array.from({ length: Math.floor(random() * 5_000) }, (_, i) => i)),
  (random) =>
    JSON.stringify(Object.fromEntries(Array.from({ length: Math.floor(random() * 3_000) }, (_, i) => [`k${i}`, i]))),
  (random) => 'x'.repeat(Math.floor(random() * 200_000)),
  () => `GET /echo HTTP/1.1\r\nHost: ${CANARY}\r\n\r\n`,
  () => `0\r\n\r\nGET /echo HTTP/1.1\r\nHost: ${CANARY}\r\n\r\n`,
]

type Oddity = (draft: Draft, random: Random) => void

const ODDITIES: Readonly<Record<string, Oddity>> = {
  method: (draft, random) => void (draft.method = pick(random() < 0.5 ? METHODS : ODD_METHODS, random)),
  'path: trick': (draft, random) => void (draft.target += `/${pick(TRICKS, random)}`),
  'path: encoded trick': (draft, random) =>
    void (draft.target += `/${encodeURIComponent(pick(TRICKS, random).toWellFormed())}`),
  'path: bytes': (draft, random) => void (draft.target += `/${bytes(random, 30).toString('latin1')}`),
  'path: deep': (draft, random) => void (draft.target += '/a'.repeat(Math.floor(random() * 3_000))),
  'target: form': (draft, random) => {
    const forms = [
      '*',
      `http://${CANARY}/echo`,
      'http://here/echo',
      `http://ada:${CANARY}@here/echo`,
      `//${CANARY}/echo`,
      'file:///etc/passwd',
      'echo',
      '/echo#a',
      'here:80',
      '/\\echo',
      '/echo\tx',
      '/echo x',
      '',
    ]
    draft.target = pick(forms, random)
  },
  'query: trick': (draft, random) => {
    const name = random() < 0.5 ? pick(TRICKS, random) : encodeURIComponent(pick(TRICKS, random).toWellFormed())
    draft.target += `?${name}=${CANARY}&${name}=1`
  },
  'query: many': (draft, random) =>
    void (draft.target += `?${Array.from({ length: Math.floor(random() * 2_500) }, (_, i) => `${i}=`).join('&')}`),
  'header: odd value': (draft, random) => void draft.headers.push([pick(HEADERS, random), pick(VALUES, random)]),
  'header: trick in its value': (draft, random) =>
    void draft.headers.push([pick(HEADERS, random), pick(TRICKS, random)]),
  'header: trick in its name': (draft, random) => void draft.headers.push([`x-${pick(TRICKS, random)}`, CANARY]),
  'header: bytes': (draft, random) => void draft.headers.push(['x-bytes', bytes(random, 100).toString('latin1')]),
  'header: many': (draft, random) => {
    const count = Math.floor(random() * 2_500)
    for (let i = 0; i < count; i++) draft.headers.push([`x${i}`, ''])
  },
  'header: long': (draft, random) => void draft.headers.push(['x-long', 'y'.repeat(Math.floor(random() * 20_000))]),
  'header: twice': (draft, random) => void draft.headers.push(pick([...draft.headers, ['Host', 'there']], random)),
  'header: folded': (draft) => void draft.headers.push(['x-folded', `a\r\n ${CANARY}`]),
  'header: no host': (draft) => void (draft.headers = draft.headers.filter(([name]) => name !== 'Host')),
  body: (draft, random) => {
    draft.body = Buffer.from(pick(BODIES, random)(random))
    if (draft.framing === 'none') draft.framing = 'length'
  },
  'body: bytes': (draft, random) => {
    draft.body = bytes(random, 2_000)
    if (draft.framing === 'none') draft.framing = 'length'
  },
  'body: type': (draft, random) => void draft.headers.push(['Content-Type', pick(VALUES, random)]),
  'framing: chunked': (draft) => void (draft.framing = 'chunked'),
  'framing: a length that is wrong': (draft, random) =>
    void draft.headers.push(['Content-Length', String(Math.floor(random() * 300))]),
  'framing: both': (draft) => {
    draft.framing = 'chunked'
    draft.headers.push(['Content-Length', String(draft.body.length)])
  },
  version: (draft, random) =>
    void (draft.version = pick(['HTTP/1.0', 'HTTP/0.9', 'HTTP/2.0', 'HTTP/1.2', 'HTTX/1.1', ''], random)),
  'line ends': (draft, random) => void (draft.lineEnd = pick(['\n', '\r', '\r\r\n', '\n\r'], random)),
  pipelined: (draft, random) => void (draft.requests = 2 + Math.floor(random() * 4)),
  'in pieces': (draft, random) => void (draft.cuts = 1 + Math.floor(random() * 5)),
  'goes early': (draft) => void (draft.ends = 'goes'),
  'half-closes': (draft) => void (draft.ends = 'half-closes'),
}

export const KINDS = Object.keys(ODDITIES)
/** Those that leave no doubt where a request ends. */
const EXACT = new Set([
  'path: encoded trick',
  'path: deep',
  'query: many',
  'header: many',
  'header: long',
  'body',
  'body: bytes',
  'framing: chunked',
  'pipelined',
  'in pieces',
  'half-closes',
])

export function fuzzedRequest(random: Random): FuzzedRequest {
  const isWrite = random() < 0.6
  const draft: Draft = {
    method: isWrite ? pick(['POST', 'PUT'], random) : pick(METHODS, random),
    target: pick(PATHS, random),
    version: 'HTTP/1.1',
    headers: [['Host', 'here']],
    body: isWrite ? Buffer.from(pick(BODIES, random)(random)) : Buffer.alloc(0),
    framing: isWrite ? 'length' : 'none',
    lineEnd: '\r\n',
    requests: 1,
    cuts: 0,
    ends: 'waits',
  }
  if (isWrite)
    draft.headers.push(['Content-Type', pick(['application/json', 'text/plain', 'application/octet-stream'], random)])
  // Mostly one: several at once are refused for the first of them.
  const count = random() < 0.1 ? 0 : 1 + Math.floor(random() ** 3 * 4)
  const kinds = Array.from({ length: count }, () => pick(KINDS, random))
  for (const kind of kinds) ODDITIES[kind]?.(draft, random)
  const bytesSent = bytesOf(draft, random)
  const requests = kinds.every((kind) => EXACT.has(kind)) ? bytesSent.requests : Number.POSITIVE_INFINITY
  return { ...bytesSent, requests, kinds: kinds.length === 0 ? ['as it should be'] : kinds }
}

function bytesOf(draft: Draft, random: Random): Omit<FuzzedRequest, 'kinds'> {
  const { method, target, version, lineEnd, requests, ends } = draft
  const one = (isLast: boolean) => {
    const framing: [string, string][] =
      draft.framing === 'length'
        ? [['Content-Length', String(draft.body.length)]]
        : draft.framing === 'chunked'
          ? [['Transfer-Encoding', 'chunked']]
          : []
    const headers = [...draft.headers, ...framing, ...(isLast ? [['Connection', 'close']] : [])]
    const lines = [`${method} ${target} ${version}`, ...headers.map(([name, value]) => `${name}: ${value}`), '', '']
    const body = draft.framing === 'chunked' ? chunked(draft.body, random) : draft.body
    return Buffer.concat([Buffer.from(lines.join(lineEnd), 'latin1'), body])
  }
  const all = Buffer.concat(Array.from({ length: requests }, (_, i) => one(i === requests - 1)))
  const cuts = Array.from({ length: draft.cuts }, () => Math.floor(random() * all.length)).toSorted((a, b) => a - b)
  const writes = [0, ...cuts].map((from, i) => all.subarray(from, cuts[i] ?? all.length))
  return { writes, requests, isHead: method === 'HEAD', ends }
}

function chunked(body: Buffer, random: Random): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; at < body.length;) {
    const size = Math.min(body.length - at, 1 + Math.floor(random() * 10_000))
    parts.push(Buffer.from(`${size.toString(16)}\r\n`), body.subarray(at, at + size), Buffer.from('\r\n'))
    at += size
  }
  return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')])
}

function bytes(random: Random, most: number): Buffer {
  return Buffer.from(Array.from({ length: Math.floor(random() * most) }, () => Math.floor(random() * 256)))
}
