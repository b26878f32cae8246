/** Each check of the kit for targets catches the target that it is there for. */
import { setTimeout as sleep } from 'node:timers/promises'
import { definePlugin, defineTarget } from '@outbus/core/plugin'
import type { AnyPlugin, AnyTarget } from '@outbus/core/plugin'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { describeTarget, TARGET_CHECKS } from './target.ts'
import type { TargetSamples } from './target.ts'

const config = z.strictObject({
  to: z.string().min(1),
  fail: z.boolean().default(false),
  wait: z.boolean().default(false),
  at: z.array(z.string()).default([]),
})
const posting = defineTarget({
  type: 'post',
  config,
  run: async ({ config: { fail, wait }, signal }) => {
    if (fail) throw new Error('no')
    if (wait) await sleep(60_000, undefined, { signal })
  },
})
/** The plugin, of whose target some members are others. */
const post = (broken: Partial<AnyTarget> = {}): AnyPlugin =>
  definePlugin({ name: 'post', targets: [{ ...posting, ...broken } as AnyTarget] })
const samples = {
  configs: [{ to: 'a' }],
  badConfigs: [{}, { to: '' }],
  failing: { to: 'a', fail: true },
  slow: { to: 'a', wait: true },
}

describeTarget(post(), samples)

const [runs, configured, fails, ends, keyed] = Object.values(TARGET_CHECKS) as [Check, Check, Check, Check, Check]
type Check = (typeof TARGET_CHECKS)[string]

test.for<[what: string, check: Check, problem: string, broken: Partial<AnyTarget>, given?: object]>([
  ['no configuration', runs, 'no sample of a configuration', {}, { configs: [] }],
  [
    'a target that throws',
    runs,
    'came to retry',
    {
      run: () => {
        throw new Error('no')
      },
    },
  ],
  ['a target that returns what is no verdict', runs, 'came to retry', { run: (() => 'done') as never }],
  ['a configuration that takes anything', configured, 'is taken', { config: z.object({ to: z.string() }) }],
  ['a configuration that is taken and should not be', configured, 'is taken', {}, { badConfigs: [{ to: 'b' }] }],
  ['no configuration that is refused', configured, 'that is refused: badConfigs', {}, { badConfigs: undefined }],
  ['an empty list of those', configured, 'that is refused: badConfigs', {}, { badConfigs: [] }],
  [
    'a target that changes its configuration',
    runs,
    'it changes what it is given',
    { run: ({ config }) => void (config as { at: string[] }).at.push('now') },
  ],
  [
    'a target that changes the event',
    runs,
    'it changes what it is given',
    { run: ({ delivery }) => void Object.assign(delivery.event as object, { seen: true }) },
  ],
  ['nothing that fails', fails, 'no sample of a configuration that fails', {}, { failing: undefined }],
  ['nothing that fails, without a reason', fails, 'whyNone says why', {}, { failing: 'none', whyNone: ' ' }],
  [
    'a target that is deaf to its signal',
    ends,
    'still goes on 2000 ms after its signal was aborted',
    { run: () => sleep(5_000, undefined) },
  ],
  ['something slow that is not', ends, 'was over before its signal was aborted', { run: () => {} }],
  [
    'a target that tells deliveries apart by their ids',
    keyed,
    'it reads deliveryId and not idempotencyKey',
    { run: ({ delivery }) => void delivery.deliveryId },
  ],
  ['a failure that is swallowed', fails, 'retry, dead was expected', { run: () => {} }],
])('%s', async ([, check, problem, broken, given]) => {
  const found = await check(post(broken), { ...samples, ...given })
  expect(found).toContainEqual(expect.stringContaining(problem))
})

test('a target of which no delivery can fail says why', async () => {
  expect(await fails(post(), { ...samples, failing: 'none', whyNone: 'it only counts' })).toEqual([])
})

test('a target may read both ids, and whatever else there is', async () => {
  const all: Partial<AnyTarget> = {
    run: ({ delivery: { deliveryId, idempotencyKey, event, log, signal, cx } }) => {
      log.info({ deliveryId, idempotencyKey, event, cx: typeof cx, aborted: signal.aborted })
    },
  }
  expect(await keyed(post(all), samples)).toEqual([])
})

test('there is a broken target for each check', () => {
  expect(Object.values(TARGET_CHECKS)).toEqual([runs, configured, fails, ends, keyed])
})

test('what has to be said is asked for by the types', () => {
  type Posted = TargetSamples<typeof posting>
  const configs = [{ to: 'a' }]
  const said: Posted[] = [
    { configs, badConfigs: [{}], failing: { to: 'a', fail: true } },
    { configs, badConfigs: [{}], failing: 'none', whyNone: 'it only counts' },
    // @ts-expect-error -- nothing that is refused
    { configs, failing: { to: 'a' } },
    // @ts-expect-error -- nothing that fails
    { configs, badConfigs: [{}] },
    // @ts-expect-error -- no reason why nothing fails
    { configs, badConfigs: [{}], failing: 'none' },
  ]
  expect(said).toHaveLength(5)
})
