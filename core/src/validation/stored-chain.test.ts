import { expect, test } from 'vitest'
import { readChain, readChainText } from './stored-chain.ts'

const ID = '019ac8f2-4111-7111-8111-111111111111'

test('a chain is a list of ids, and null is an empty one', () => {
  expect(readChainText(`["${ID}","${ID.toUpperCase()}"]`)).toEqual([ID, ID.toUpperCase()])
  expect([readChain(null), readChain(undefined), readChainText(null)]).toEqual([[], [], []])
  expect(readChain(Array(1_000).fill(ID))).toHaveLength(1_000)
})

test.each([
  '{"a":1}',
  '"x"',
  '1',
  'no JSON',
  '[{"a":1},null,7]',
  '[null]',
  '["x"]',
  `["${ID}\\n"]`,
  `["${ID} "]`,
  JSON.stringify(Array(1_001).fill(ID)),
])('%.40s is no chain that a bus has written', (text) => {
  expect(readChainText(text)).toBeUndefined()
})
