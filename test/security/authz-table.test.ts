/** The page of actions says what the code says. */
import { expect, test } from 'vitest'
import { authorizerPage } from './authorizer-table.ts'

test('docs/authorizer.md is made of the table of actions: npm run docs:authorizer', async () => {
  const { is, shouldBe } = await authorizerPage()
  expect(is).toBe(shouldBe)
})
