import { expect, test } from 'vitest'
import { Turns } from './turns.ts'

function all<T>(turns: Turns<T>): T[] {
  const items: T[] = []
  for (let item = turns.next(); item !== undefined; item = turns.next()) items.push(item)
  return items
}

test('an app that asks for much takes every other turn, and no more', () => {
  const turns = new Turns<string>()
  for (let i = 1; i <= 4; i++) turns.add('shop', `shop ${i}`)
  turns.add('bank', 'bank 1')
  expect(turns.next()).toBe('shop 1')
  turns.add('bank', 'bank 2')
  turns.add('late', 'late 1')
  expect(all(turns)).toEqual(['bank 1', 'shop 2', 'late 1', 'bank 2', 'shop 3', 'shop 4'])
})

test('what is taken out is nobody’s turn, and nothing is kept of an app that waits for nothing', () => {
  const turns = new Turns<string>()
  turns.add('shop', 'a')
  turns.add('bank', 'b')
  expect(turns.delete('shop', 'a')).toBe(true)
  expect(turns.delete('shop', 'a')).toBe(false)
  expect(turns.delete('unknown', 'a')).toBe(false)
  expect(turns.countOf('shop')).toBe(0)
  expect(turns.countOf('bank')).toBe(1)
  expect(all(turns)).toEqual(['b'])
})
