import { expect, test } from 'vitest'
import { nameProblem, namesOf, renamed } from './names.ts'

test('a name has its four shapes', () => {
  expect(namesOf('order-book2')).toEqual({
    kebab: 'order-book2',
    snake: 'order_book2',
    camel: 'orderBook2',
    pascal: 'OrderBook2',
  })
})

test('all shapes of the template are renamed', () => {
  const text = 'plugin-name-target plugin-name plugin_name_entries pluginName PluginNameApi'
  expect(renamed(text, namesOf('order-book'))).toBe('order-book order-book order_book_entries orderBook OrderBookApi')
})

test.for(['order-book', 'a', 'kv2', 'new-source'])('%s is a name', (name) => {
  expect(nameProblem(name)).toBeUndefined()
})

test.for([
  ['', 'lower case'],
  ['Order', 'lower case'],
  ['order_book', 'lower case'],
  ['2orders', 'lower case'],
  ['order--book', 'lower case'],
  ['../up', 'lower case'],
  ['x'.repeat(41), '40 characters'],
  ['class', 'JavaScript'],
  ['await', 'JavaScript'],
  ['triggers', 'reserved'],
  ['dead-letter', 'reserved'],
] as const)('%j is none: %s', ([name, problem]) => {
  expect(nameProblem(name)).toContain(problem)
})
