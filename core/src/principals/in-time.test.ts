import { expect, test } from 'vitest'
import { aboutPrincipal, AnswersInTime } from './in-time.ts'
import type { Asked } from './in-time.ts'

const named = (key: string): Asked => ({ key, whom: key })

function counting() {
  const answers = new AnswersInTime({ withinMs: 5, notAskedForMs: 60_000 })
  const asked: string[] = []
  const silence = async (key: string): Promise<unknown> =>
    answers.about(named(key), () => {
      asked.push(key)
      return new Promise(() => undefined)
    })
  return { answers, asked, silence }
}

test('whoever did not answer is not asked again at once, and others are', async () => {
  const { answers, asked, silence } = counting()
  await expect(silence('a')).rejects.toThrow('nothing was said about a within 5 ms')
  await expect(silence('a')).rejects.toThrow('nothing was said about a within 5 ms')
  expect(asked).toEqual(['a'])
  expect(answers.about(named('b'), () => 'b')).toBe('b')
  expect(await answers.about(named('b'), async () => 'b')).toBe('b')
})

test('what it remembers is bounded: the oldest is forgotten first', async () => {
  const { asked, silence } = counting()
  await expect(silence('first')).rejects.toThrow('nothing was said')
  const many = Array.from({ length: 10_000 }, (_, i) => `k${i}`)
  const results = await Promise.allSettled(many.map(silence))
  expect(results.every(({ status }) => status === 'rejected')).toBe(true)
  asked.length = 0
  await expect(silence('k9999')).rejects.toThrow('nothing was said')
  expect(asked).toEqual([])
  await expect(silence('first')).rejects.toThrow('nothing was said')
  expect(asked).toEqual(['first'])
})

test('principals of two apps are two, whatever is in their ids', () => {
  expect(aboutPrincipal({ app: 'a', id: 'b\nc' }).key).not.toBe(aboutPrincipal({ app: 'a\nb', id: 'c' }).key)
})
