import { expect, test } from 'vitest'
import { performance } from './clock.ts'
import { inSlices } from './slices.ts'

test('few items are done at once, in order', () => {
  const done: string[] = []
  expect(inSlices(['a', 'b'], (item, i) => void done.push(`${item}${i}`))).toBeUndefined()
  expect(done).toEqual(['a0', 'b1'])
})

test('between items that take long, others have their turn; what throws ends it', async () => {
  let turns = 0
  const turn = setInterval(() => turns++, 0)
  const busy = () => {
    for (const from = performance.now(); performance.now() - from < 12;);
  }
  await inSlices([1, 2, 3, 4, 5], busy)
  clearInterval(turn)
  expect(turns).toBeGreaterThanOrEqual(2)
  const failing = inSlices([1, 2], (item) => {
    busy()
    if (item === 2) throw new Error('two')
  })
  await expect(failing).rejects.toThrow('two')
})
