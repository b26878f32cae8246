import { expect, test } from 'vitest'
import { readTaken } from './copy.ts'
import { nameProblem, namesOf, renamed } from './names.ts'

const here = await readTaken({ isStandAlone: false })
const standAlone = await readTaken({ isStandAlone: true })

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

test('a name that has one of the template in it is not renamed again', () => {
  const text = 'plugin-name-target plugin-name plugin_name pluginName PluginName'
  expect(renamed(text, namesOf('plugin-name-three'))).toBe(
    'plugin-name-three plugin-name-three plugin_name_three pluginNameThree PluginNameThree',
  )
})

test.for(['order-book', 'a', 'kv2', 'new-source', 'todo-list', 'bookings', 'labels', 'plugin-name-three'])(
  '%s is a name',
  (name) => {
    expect(nameProblem(name, here)).toBeUndefined()
    expect(nameProblem(name, standAlone)).toBeUndefined()
  },
)

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
  ['global-this', 'JavaScript'],
  ['triggers', 'reserved'],
  ['dead-letter', 'reserved'],
  // Imports, globals and locals of the template.
  ...['test', 'expect', 'z', 'undefined', 'define-source', 'describe-source', 'name-schema', 'insert-entry'].map(
    (name) => [name, 'something else in the code of the template'] as const,
  ),
  ...['process', 'cx', 'db', 'heard', 'define-target', 'lines'].map(
    (name) => [name, 'something else in the code of the template'] as const,
  ),
  ['index', 'overwrite a file of the plugin: src/index.ts'],
  ['migrations', 'overwrite a file of the plugin: src/migrations.ts'],
  ['entries', 'overwrite a file of the plugin: src/entries.ts'],
  ['conformance', 'overwrite a file of the plugin: src/conformance.int.test.ts'],
] as const)('%j is none: %s', ([name, problem]) => {
  expect(nameProblem(name, here)).toContain(problem)
  expect(nameProblem(name, standAlone)).toContain(problem)
})

test.for(['test-kit', 'scaffold', 'bench', 'demo', 'plugin-template', 'plugin-name-target', 'plugin-name-both'])(
  '%s is taken within this repository, and free outside of it',
  (name) => {
    expect(nameProblem(name, here)).toContain('is taken')
    expect(nameProblem(name, standAlone)).toBeUndefined()
  },
)

test.for(['zod', 'vitest', 'typescript'])('%s, which a package of its own depends on, is taken outside', (name) => {
  expect(nameProblem(name, standAlone)).toContain('is taken')
  expect(nameProblem(name, here)).toBeUndefined()
})
