import { expect, test } from 'vitest'
import { problemOfMessage } from './message.ts'

const message = (url: string, ...rawHeaders: string[]) => ({ url, rawHeaders, httpVersion: '1.1' })

test.for<[what: string, asked: ReturnType<typeof message>]>([
  ['a path', message('/a?b=\\', 'Host', 'here')],
  ['an empty host', message('/', 'Host', '')],
  ['no host', message('/')],
  ['a host with a port', message('/', 'Host', 'here:8080')],
  ['an IPv6 host', message('/', 'Host', '[::1]:80')],
  ['the URL of its host', message('http://here/a', 'Host', 'HERE:80')],
  ['chunks', message('/', 'Host', 'here', 'Transfer-Encoding', 'Chunked')],
  ['HTTP/1.0', { ...message('/'), httpVersion: '1.0' }],
  ['another header twice', message('/', 'Host', 'here', 'Accept', 'a', 'Accept', 'b')],
])('%s is as it should be', ([_what, asked]) => {
  expect(problemOfMessage(asked)).toBeUndefined()
})

test.for<[what: string, asked: ReturnType<typeof message>]>([
  ['two hosts', message('/', 'Host', 'here', 'host', 'here')],
  ['a length and chunks', message('/', 'Content-Length', '1', 'Transfer-Encoding', 'chunked')],
  ['chunks of HTTP/1.0', { ...message('/', 'Transfer-Encoding', 'chunked'), httpVersion: '1.0' }],
  ['a coding besides chunks', message('/', 'Host', 'here', 'Transfer-Encoding', 'gzip, chunked')],
  ['HTTP/0.9', { ...message('/'), httpVersion: '0.9' }],
  ['a host with a path', message('/', 'Host', 'here/there')],
  ['a host with credentials', message('/', 'Host', 'ada@here')],
  ['a host with a port that is none', message('/', 'Host', 'here:99999')],
  ['a backslash', message('/a\\b', 'Host', 'here')],
  ['a URL without a host to compare it with', message('http://here/')],
  ['the URL of another port', message('http://here:81/', 'Host', 'here')],
  ['a URL with a user', message('http://ada@here/', 'Host', 'here')],
  ['another protocol', message('ftp://here/', 'Host', 'here')],
  ['no path', message('a', 'Host', 'here')],
  ['a star', message('*', 'Host', 'here')],
  ['nothing', message('', 'Host', 'here')],
])('%s is refused', ([_what, asked]) => {
  expect(problemOfMessage(asked)).toEqual(expect.any(String))
})
