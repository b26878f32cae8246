import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { IndexedTrigger } from '../triggers/filed-trigger.ts'
import { fanOut } from './fan-out.ts'
import type { PreparedEvent } from './prepare.ts'

const event = () => ({ replyTo: null }) as PreparedEvent
const TRIGGERS = Array.from({ length: 5 }, (_, i) => ({ id: `t${i}` }) as IndexedTrigger)

test('every pair of event and matching trigger once, and each trigger sent once', () => {
  const matching = fc.array(fc.subarray(TRIGGERS))
  fc.assert(
    fc.property(matching, (matched) => {
      const { pairEvents, pairTriggers, triggers } = fanOut(
        matched.map(() => event()),
        matched,
      )
      const pairs = pairEvents.map((e, i) => [e - 1, triggers[(pairTriggers[i] ?? 0) - 1]])
      expect(pairs).toEqual(matched.flatMap((of, e) => of.map((trigger) => [e, trigger])))
      expect(new Set(triggers).size).toBe(triggers.length)
    }),
  )
})
