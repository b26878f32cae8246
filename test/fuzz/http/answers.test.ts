/** What the fuzz takes for a fault of the service: if it saw none of these, it would find nothing whatever the service did. */
import { expect, test } from 'vitest'
import { seeded } from '../../faults/random.ts'
import { CANARY, judge } from './answers.ts'
import { fuzzedRequest, KINDS } from './requests.ts'

const sent = { requests: 1, isHead: false }
const DATE = 'Date: Sat, 28 Nov 2026 18:00:00 GMT\r\n'
const answer = (head: string, body = '') =>
  Buffer.from(`HTTP/1.1 ${head}\r\n${DATE}Content-Length: ${body.length}\r\n\r\n${body}`, 'latin1')

test('answers of a service that is as it should be have no problem', () => {
  const json = 'Content-Type: application/json\r\nX-Content-Type-Options: nosniff'
  expect(judge(answer(`200 OK\r\n${json}`, '{}'), sent)).toEqual({ statuses: [200], problems: [] })
  const two = Buffer.concat([answer(`400 Bad Request\r\n${json}`, '{}'), answer(`503 Busy\r\nRetry-After: 1`)])
  expect(judge(two, { ...sent, requests: 2 })).toEqual({ statuses: [400, 503], problems: [] })
  const chunked = `HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`
  expect(judge(Buffer.from(chunked), sent)).toEqual({ statuses: [400], problems: [] })
  const head = `HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n`
  expect(judge(Buffer.from(head), { ...sent, isHead: true })).toEqual({ statuses: [200], problems: [] })
  const goOn = Buffer.concat([Buffer.from('HTTP/1.1 100 Continue\r\n\r\n'), answer('204 No Content')])
  expect(judge(goOn, sent).problems).toEqual([])
  expect(judge(Buffer.alloc(0), sent)).toEqual({ statuses: [], problems: [] })
})

test.for<[what: string, found: Buffer]>([
  ['a failure that is not documented', answer('500 Internal Server Error')],
  ['a bad gateway', answer('502 Bad Gateway')],
  ['a 503 without Retry-After', answer('503 Service Unavailable')],
  ['a cookie of the client', answer(`200 OK\r\nSet-Cookie: ${CANARY}=1`)],
  ['any cookie that is not the service’s', answer('200 OK\r\nSet-Cookie: a=1')],
  ['a redirect', answer('302 Found\r\nLocation: https://evil.example/')],
  ['HTML', answer('200 OK\r\nContent-Type: text/html')],
  ['another origin that is allowed', answer('200 OK\r\nAccess-Control-Allow-Origin: *')],
  ['a header twice', answer('200 OK\r\nContent-Type: application/json\r\nContent-Type: application/json')],
  ['two lengths', answer('200 OK\r\nContent-Length: 0')],
  ['a second response that nobody asked for', Buffer.concat([answer('200 OK'), answer('200 OK')])],
  ['bytes between responses', Buffer.concat([answer('200 OK'), Buffer.from('hello')])],
  ['a body that is longer than it says', Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhello`)],
  ['a body that is shorter than it says', Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello`)],
  ['chunks that are none', Buffer.from(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhello`)],
  ['no head', Buffer.from('hello')],
])('%s is a fault', ([_what, found]) => {
  expect(judge(found, sent).problems).not.toEqual([])
})

test('the same seed makes the same requests, and a thousand of them are of every kind', () => {
  const made = (seed: number) => {
    const random = seeded(seed)
    return Array.from({ length: 1_000 }, () => fuzzedRequest(random))
  }
  const requests = made(1)
  expect(made(1)).toEqual(requests)
  expect(made(2)).not.toEqual(requests)
  expect(new Set(requests.flatMap(({ kinds }) => kinds))).toEqual(new Set(['as it should be', ...KINDS]))
  expect(requests.some(({ writes }) => Buffer.concat([...writes]).includes('outbus.http.response'))).toBe(true)
})
