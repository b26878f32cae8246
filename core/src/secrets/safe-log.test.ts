import pino from 'pino'
import { expect, test } from 'vitest'
import { secretHider } from './hide-secrets.ts'
import { safeLog } from './safe-log.ts'

function logger(options: pino.LoggerOptions = {}) {
  const lines: Record<string, unknown>[] = []
  const given = pino(options, { write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) })
  return { given, lines, log: safeLog(given, secretHider()) }
}

const lost = () =>
  Object.assign(new TypeError('lost postgres://ada:hunter2@db'), {
    client: { password: 'hunter2' },
    detail: 'Failing row contains (hunter2)',
    code: '57P01',
    cause: Object.assign(new Error('Bearer hunter2'), { client: { password: 'hunter2' } }),
  })

test('an error is shown with its type, message, stack, code and causes, and nothing that hangs on it', () => {
  const { log, lines } = logger()
  log.warn({ err: lost() }, 'one')
  log.child({ deliveryId: '1' }).warn({ error: lost(), reason: 'password=hunter2' }, 'two')
  expect(lines[0]?.['err']).toMatchObject({ type: 'TypeError', code: '57P01' })
  expect(JSON.stringify(lines[0])).toContain('lost postgres://ada:[hidden]@db')
  expect(lines[1]).toMatchObject({ deliveryId: '1', reason: 'password=[hidden]' })
  expect(JSON.stringify(lines)).not.toMatch(/hunter2|client|detail/)
})

test('a serializer of the application works on the copy, and its other ones as ever', () => {
  const { log, lines } = logger({
    serializers: { err: (error: Error) => Object.keys(error).concat(error.message), job: () => 'a job' },
  })
  log.warn({ err: lost(), job: {} })
  expect(lines[0]).toMatchObject({ err: ['code', 'lost postgres://ada:[hidden]@db'], job: 'a job' })
})

test('the level of the application’s logger counts, later changes of it too', () => {
  const { given, log, lines } = logger({ level: 'warn' })
  log.debug('no')
  given.level = 'debug'
  log.debug('yes')
  expect(lines.map(({ msg }) => msg)).toEqual(['yes'])
  expect(log.isLevelEnabled('debug')).toBe(true)
})

test('whatever is given for an error, the line is written', () => {
  const { log, lines } = logger()
  const throwing = new Proxy({}, { get: () => expect.unreachable() })
  for (const err of [undefined, null, 1, 'Bearer hunter2', throwing, () => 1, Object.create(null)])
    log.warn({ err }, 'said')
  expect(lines).toHaveLength(7)
  expect(JSON.stringify(lines)).not.toContain('hunter2')
})
