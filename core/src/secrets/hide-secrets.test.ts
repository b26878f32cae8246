import fc from 'fast-check'
import { expect, test } from 'vitest'
import { HIDDEN, secretHider } from './hide-secrets.ts'

const hide = secretHider()
const shown = (text: string) => hide(text, 4_000)
const KEY = `-----BEGIN RSA PRIVATE KEY-----\n${'MIIEpAIBAAKCAQEA7bq\n'.repeat(40)}-----END RSA PRIVATE KEY-----`
const JWT = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U'
/** In parts, so that no scanner takes this file for one that holds keys. */
const shape = (...parts: string[]) => parts.join('')

test.each([
  ['GET https://api.example/x failed: authorization: Bearer abc.def-123', 'abc.def'],
  ['{"headers":{"Authorization":"Bearer hunter2","accept":"*/*"}}', 'hunter2'],
  ['authorization: Digest username="u", response="hunter2"', 'hunter2'],
  ['the token was refused (Bearer hunter2)', 'hunter2'],
  ['sent Basic dXNlcjpodW50ZXIy and got 401', 'dXNlcjpodW50ZXIy'],
  ['cookie: sid=hunter2; other=hunter3\nhost: a', 'hunter'],
  ["[ 'x-api-key', 'hunter2', 'host', 'a' ]", 'hunter2'],
  ['X-Api-Key: hunter2', 'hunter2'],
  ["{ password: 'hunter2', user: 'ada' }", 'hunter2'],
  ['{"password":"hun\\"ter2","user":"ada"}', 'ter2'],
  ['got {\\"password\\":\\"hun\\\\\\"ter2\\",\\"user\\":\\"ada\\"}', 'ter2'],
  ['DATABASE_PASSWORD=hunter2 node main.js', 'hunter2'],
  ['host=db password=hunter2 user=ada', 'hunter2'],
  ['?access_token=hunter2&page=2', 'hunter2'],
  ['clientSecret => hunter2', 'hunter2'],
  ['aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY', 'wJalr'],
  ['connect postgres://ada:hunter2@db:5432/shop failed', 'hunter2'],
  ['connect postgres://ada:hun/t@er2@db:5432/shop failed', 'er2'],
  ['connect postgres://ada:hun"t<er2@db:5432/shop failed', 'er2'],
  ['{"url":"postgres://ada:hun\\"ter2@db","user":"ada"}', 'ter2'],
  ['at http://localhost:3000/?u=amqp://ada:hunter2@mq', 'hunter2'],
  [`invalid: ${shape('AKIA', 'IOSFODNN7EXAMPLE')}`, 'IOSFODNN'],
  [`push ${shape('ghp_', 'a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8')}`, 'a1B2'],
  [`push ${shape('github_pat_', '11ABCDEFG0abcdefghijkl_x')}`, '11ABC'],
  [`slack ${shape('xoxb-', '1234567890-abcdefghij')}`, 'abcdef'],
  [`slack ${shape('https://hooks.slack.com/', 'services/T000/B000/XXXXXXXX')}`, 'XXXX'],
  [`stripe ${shape('sk_live_', '4eC39HqLyjWDarjtT1zdp7dc')}`, '4eC39'],
  [`hook ${shape('whsec_', 'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')}`, 'MfKQ'],
  [`jwt ${JWT} expired`, 'dozj'],
  [`read ${KEY} once`, 'MIIE'],
  [JSON.stringify({ pem: KEY }), 'MIIE'],
  [KEY.slice(0, 300), 'MIIE'],
  ['<soap:password>hunter2</soap:password>', 'hunter2'],
  ['Incorrect API key: hunter2', 'hunter2'],
  ['?next=%2F%3Fpassword%3Dhunter2', 'hunter2'],
  ['got %7B%22password%22%3A%22hunter2%22%7D', 'hunter2'],
  ['Password for user ada: hunter2', 'hunter2'],
  ['clone https://hunter2hunter2@github.com/a/b.git failed', 'hunter2'],
  ['GET /blob?sv=2024&sig=hunter2&se=1', 'hunter2'],
  ['GET /key?X-Amz-Signature=hunter2&x=1', 'hunter2'],
  ['jwt=hunter2; session=hunter2; sid=hunter2', 'hunter2'],
  ['card 4111 1111 1111 1111 was declined', '1111'],
  ['order 12 4111111111111111', '4111'],
  ['5500-0055-5555-5559 and 371449635398431', '5559'],
])('hides the secret in %j, and once', (text, secret) => {
  expect(shown(text)).not.toContain(secret)
  expect(shown(text)).toContain(HIDDEN)
  expect(shown(shown(text))).toBe(shown(text))
})

test.each([
  'connect ECONNREFUSED 127.0.0.1:5432',
  'Unexpected token } in JSON at position 4',
  'the bearer token is missing; basic authentication required',
  '{"url":"http://localhost:3000","mail":"a@b.example"} and <http://a:80>,b@c',
  'GET http://localhost:3000/users/a@b.example failed with 404',
  'delivery 1234567890123456789 of 019ac8f2-4111-7111-8111-111111111111 at 1764355200000',
  'duplicate key value violates unique constraint "users_password_key"',
  '    at passwordOf (file:///app/src/tokens.ts:12:34)',
  'tokens: 4096, bypass: yes, total 4111 1111 1111 1112',
  'skip: sk-short, task-forces-are-many-and-more',
  'clone ssh://git@github.com/a/b.git and https://ada@example.com failed',
  'password authentication failed for user "ada": no entry',
  'the signature is invalid: session expired, jwt malformed, sid missing; signature == expected',
  'the list => <password> and </password> are tags',
])('leaves %j as it is', (text) => {
  expect(shown(text)).toBe(text)
})

test('what is beside a secret stays, so that the error can still be read', () => {
  expect(shown('connect postgres://ada:hunter2@db:5432/shop failed')).toBe(
    'connect postgres://ada:[hidden]@db:5432/shop failed',
  )
  expect(shown('{"password":"hunter2","user":"ada"}')).toBe('{"password":"[hidden]","user":"ada"}')
  expect(shown(`jwt ${JWT} expired`)).toBe('jwt [hidden] expired')
})

test('a secret across the end of what is kept is hidden whole', () => {
  for (const secret of [KEY, JWT, 'postgres://ada:hunter2hunter2@db', 'password=hunter2hunter2']) {
    for (let kept = 1; kept < secret.length; kept += 7) {
      const text = `${'x '.repeat(500)}${secret} y`
      expect(hide(text, 1_000 + kept)).not.toMatch(/hunter|MIIE|dozj/)
    }
  }
})

test('a password in a URL whose end is beyond what is looked at is hidden', () => {
  expect(hide(`see postgres://ada:${'hunter2'.repeat(3_000)}@db`, 1_000)).toBe('see postgres://ada:[hidden]…')
  expect(hide(`see http://localhost:3000/${'a'.repeat(20_000)}`, 40)).toBe('see http://localhost:3000/aaaaaaaaaaaaaa…')
})

test('a service has patterns of its own', () => {
  const own = secretHider([/ACME-\d+/, /(?:)/])
  expect(own('key ACME-123, password=a', 100)).toBe('key [hidden], password=[hidden]')
})

test('any text is hidden without an error, cut, and the same the second time', () => {
  const pieces = [
    'password',
    '=',
    ':',
    '"',
    "'",
    '\\',
    '://',
    '@',
    ' ',
    '\n',
    'eyJ',
    '.',
    'Bearer ',
    '4111',
    '-',
    'x',
    '[hidden]',
  ]
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.constantFrom(...pieces), fc.string({ unit: 'binary' }))), (parts) => {
      expect(hide(parts.join(''), 50).length).toBeLessThanOrEqual(51)
    }),
  )
})

test('the worst texts take time in proportion to their length', () => {
  const worst = [
    '://a:',
    '://',
    ':',
    'password="',
    "password='\\",
    'password=',
    'token: ',
    'cookie:',
    '"token","',
    'eyJ',
    'eyJaaaaaaaa.',
    'a',
    '1',
    '1 ',
    '4111 ',
    'bearer ',
    'Basic ',
    '-----BEGIN PRIVATE KEY-----',
    '-----BEGIN ',
    '-----END ',
    'sk-',
    'SG.',
    'SG.aaaaaaaaaaaaaaaaaaa',
    '\\',
    '"',
    ' ',
    '@',
    'secret_access_',
    'hooks.slack.com/services/',
    'xoxb.xoxb-',
    '<password>',
    '<',
    'https://aaaaaaaaa@',
    'password for a ',
    'password%3D',
    'sig=',
    'signature',
  ]
  const timeOf = (piece: string, length: number) => {
    const text = piece.repeat(Math.ceil(length / piece.length))
    // Of this thread, which other work on the machine does not add to.
    const before = process.threadCpuUsage()
    hide(text, length)
    const { user, system } = process.threadCpuUsage(before)
    return (user + system) / 1_000
  }
  for (const piece of worst) timeOf(piece, 10_000)
  // Quadratic ones took seconds for the larger text.
  const slow = worst.filter((piece) => timeOf(piece, 400_000) > 400)
  expect(slow).toEqual([])
})
