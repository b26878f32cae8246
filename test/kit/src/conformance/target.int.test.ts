/** Each check of the kit for targets catches the target that it is there for. */
import { defineTarget } from '@outbus/core'
import type { AnyTarget } from '@outbus/core'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { describeTarget, TARGET_CHECKS } from './target.ts'

const config = z.strictObject({ to: z.string().min(1), fail: z.boolean().default(false) })
const post = (broken: Partial<AnyTarget> = {}): AnyTarget => ({
  ...defineTarget({
    type: 'post',
    config,
    run: ({ config: { fail } }) => {
      if (fail) throw new Error('no')
    },
  }),
  ...broken,
})
const samples = { configs: [{ to: 'a' }], badConfigs: [{}, { to: '' }], failing: { to: 'a', fail: true } }

describeTarget(post(), samples)

const [runs, configured, fails] = Object.values(TARGET_CHECKS) as [Check, Check, Check]
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
  ['a failure that is swallowed', fails, 'retry, dead was expected', { run: () => {} }],
])('%s', async ([, check, problem, broken, given]) => {
  const found = await check(post(broken), { ...samples, ...given })
  expect(found).toContainEqual(expect.stringContaining(problem))
})
