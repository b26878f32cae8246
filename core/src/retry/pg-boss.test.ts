import { describe, expect, test } from 'vitest'
import { isOutbusError } from '../errors.ts'
import { nextAttempt } from './next-attempt.ts'
import type { PgBossRetryOptions } from './pg-boss.ts'
import { fromPgBoss } from './pg-boss.ts'

/** Delay before the n-th retry, in ms. */
function delay(options: PgBossRetryOptions, n: number, drawn: number): number {
  const policy = fromPgBoss({ ...options, retryLimit: 9999 })
  const next = nextAttempt({ policy, attempt: n, failure: { kind: 'handler_error' }, random: () => drawn })
  if (!next.retry) throw new Error(next.reason)
  return next.delayMs
}

describe('timing', () => {
  test.each<[PgBossRetryOptions, number]>([
    [{}, 3],
    [{ retryLimit: 0 }, 1],
    [{ retryLimit: 5 }, 6],
    [{ retryLimit: 9999 }, 10_000],
  ])('%j gives as many attempts as pg-boss: %i', (given, maxAttempts) => {
    expect(fromPgBoss(given).maxAttempts).toBe(maxAttempts)
  })

  test.each<[string, PgBossRetryOptions, number[]]>([
    [
      'retryDelayMax 0 is a cap, not the absence of one',
      { retryDelay: 5, retryBackoff: true, retryDelayMax: 0 },
      [0, 0, 0],
    ],
    [
      'a cap below the first delay is every delay',
      { retryDelay: 5, retryBackoff: true, retryDelayMax: 3 },
      [3000, 3000, 3000],
    ],
    [
      'a cap at the first delay is every delay',
      { retryDelay: 5, retryBackoff: true, retryDelayMax: 5 },
      [5000, 5000, 5000],
    ],
    [
      'a cap within the first delays cuts some of them',
      { retryDelay: 5, retryBackoff: true, retryDelayMax: 7 },
      [7000, 7000, 7000],
    ],
    ['a retryDelay of 0 counts as 1 s', { retryBackoff: true }, [1500, 3000, 6000]],
    [
      'retryDelayMax null caps nothing',
      { retryDelay: 10, retryBackoff: true, retryDelayMax: null },
      [15_000, 30_000, 60_000],
    ],
  ])('%s', (_, given, expected) => {
    expect([1, 2, 3].map((n) => delay(given, n, 0.5))).toEqual(expected)
  })

  test('the 17th retry and later do not grow', () => {
    const given = { retryBackoff: true }
    expect(delay(given, 16, 0)).toBe(2 ** 15 * 1000)
    expect(delay(given, 17, 0)).toBe(2 ** 15 * 1000)
    expect(delay(given, 9999, 0)).toBe(2 ** 15 * 1000)
  })
})

describe('bad input', () => {
  test.each<[unknown, string]>([
    [{ retryDelayMax: 10 }, 'retryDelayMax'],
    [{ retryDelayMax: 0, retryBackoff: false }, 'retryDelayMax'],
    [{ retryLimit: -1 }, 'retryLimit'],
    [{ retryLimit: 1.5 }, 'retryLimit'],
    [{ retryLimit: 10_000 }, 'retryLimit'],
    [{ retryDelay: -1 }, 'retryDelay'],
    [{ retryDelay: Number.NaN }, 'retryDelay'],
    [{ retryDelay: '5' }, 'retryDelay'],
    [{ retryDelay: 2 ** 31 - 1 }, 'retryDelay'],
    [{ retryBackoff: 'yes' }, 'retryBackoff'],
    [{ retryBackoff: true, retryDelayMax: -1 }, 'retryDelayMax'],
    [{ retryBackoff: true, retryDelayMax: 2 ** 31 - 1 }, 'retryDelayMax'],
  ])('%j is not let in: retry.invalid at "%s"', (given, path) => {
    expect(() => fromPgBoss(given as PgBossRetryOptions)).toThrow(
      expect.objectContaining({ code: 'retry.invalid', path }),
    )
  })

  test('an unknown key is not ignored, and names the nearest', () => {
    try {
      fromPgBoss({ retryBackof: true } as PgBossRetryOptions)
      expect.unreachable()
    } catch (error) {
      if (!isOutbusError(error, 'retry.invalid')) throw error
      expect(error.hint).toMatch(/did you mean .*retryBackoff/i)
    }
  })

  test('a retryDelayMax of null without backoff is the default said aloud', () => {
    expect(fromPgBoss({ retryDelayMax: null })).toEqual(fromPgBoss())
  })
})
