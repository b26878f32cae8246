import { expect, test } from 'vitest'
import { OutbusError } from '../errors.ts'
import { isFaultOfRow } from './fault.ts'

const answered = (code: string) => Object.assign(new Error('no'), { code, severity: 'ERROR' })

test.each([
  ['a value out of range', answered('22003'), true],
  ['a NUL in JSON', answered('22P05'), true],
  ['a broken constraint', answered('23505'), true],
  ['an index entry that is too long', answered('54000'), true],
  ['a deadlock', answered('40P01'), false],
  ['a lock that is held', answered('55P03'), false],
  ['a missing right', answered('42501'), false],
  ['a server that stops', answered('57P01'), false],
  ['a lost connection', Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }), false],
  ['an event that is refused', new OutbusError('payload.too_deep', 'no'), true],
  ['a source that fails', new OutbusError('source.failed', 'no'), true],
  ['a bus that stops', new OutbusError('bus.stopped', 'no'), false],
  ['a refusal of Postgres by its state', new OutbusError('database.refused', 'no', { sqlState: '22008' }), true],
  [
    'a refusal of Postgres for another transaction',
    new OutbusError('database.refused', 'no', { sqlState: '40001' }),
    false,
  ],
  ['a value of another kind than expected', new TypeError('x is not iterable'), true],
  ['anything else', new Error('no'), false],
])('%s', (_what, error, expected) => {
  expect(isFaultOfRow(error)).toBe(expected)
})
