import { expect, test } from 'vitest'
import { Grouping } from './grouping.ts'

test('a lone one goes at once; what comes while one is in flight goes together', async () => {
  const calls: (readonly number[])[] = []
  let release = Promise.withResolvers<void>()
  const grouping = new Grouping<number, number>(async (items) => {
    calls.push(items)
    await release.promise
    return items.map((item) => item * 10)
  })
  const first = grouping.add(1)
  await Promise.resolve()
  await Promise.resolve()
  const others = Promise.all([grouping.add(2), grouping.add(3)])
  release.resolve()
  release = Promise.withResolvers<void>()
  release.resolve()
  expect(await first).toBe(10)
  expect(await others).toEqual([20, 30])
  expect(calls).toEqual([[1], [2, 3]])
})

test('a call takes no more than its maximum', async () => {
  const sizes: number[] = []
  const grouping = new Grouping<number, number>(async (items) => {
    sizes.push(items.length)
    return items
  }, 2)
  await Promise.all([1, 2, 3, 4, 5].map((n) => grouping.add(n)))
  expect(sizes).toEqual([2, 2, 1])
})

test('a call that fails fails for those who were in it, and the next one goes', async () => {
  let calls = 0
  const grouping = new Grouping<string, string>(async (items) => {
    if (calls++ === 0) throw new Error('no')
    return items
  })
  await expect(Promise.all([grouping.add('a'), grouping.add('b')])).rejects.toThrow('no')
  expect(await grouping.add('c')).toBe('c')
})
