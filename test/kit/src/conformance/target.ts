/** The conformance kit for targets. */
import { defineSource, isOutbusError } from '@outbus/core'
import type { AnyTarget, OutcomeMessage } from '@outbus/core'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { useTestBus } from '../test-bus.ts'
import type { Problems } from './samples.ts'
import { shown } from './samples.ts'

export interface TargetSamples<T extends AnyTarget> {
  /** At least one; each is run with an event and has to come to the outcome `done`. */
  readonly configs: readonly z.input<T['config']>[]
  /** Configurations that must be refused when a trigger is created. */
  readonly badConfigs?: readonly unknown[]
  /** One with which a delivery fails: its error is recorded and its attempts are counted. */
  readonly failing?: z.input<T['config']>
  /** What is delivered. Default `{ hello: 'world' }`. */
  readonly event?: unknown
}

type AnySamples = TargetSamples<AnyTarget>
type Check = (target: AnyTarget, samples: AnySamples) => Promise<Problems>

const probe = defineSource({
  name: 'probe',
  version: 1,
  events: { sent: z.strictObject({ event: z.unknown() }) },
  filter: z.strictObject({}),
  keys: () => [''],
  keysOf: () => [''],
  matches: () => true,
  serialize: ({ event }) => event as string,
  api: () => ({}),
})

async function deliver(target: AnyTarget, config: unknown, { event = { hello: 'world' } }: AnySamples) {
  const tested = await useTestBus({ sources: [probe], targets: [target] })
  await tested.cx.triggers.create({
    name: 'probe',
    source: 'probe',
    filter: {},
    target: { type: target.type, ...(config as object) },
    retry: { strategy: 'constant', maxAttempts: 2, baseDelayMs: 3_600_000, jitter: 'none' },
  })
  await tested.cx.emit('probe', { op: 'sent', event })
  return tested
}

const kindsOf = (outcomes: readonly OutcomeMessage[]) => outcomes.map(({ outcome }) => outcome.kind)

const checkRuns: Check = async (target, samples) => {
  const problems: Problems = []
  if (samples.configs.length === 0) problems.push('there is no sample of a configuration')
  for (const config of samples.configs) {
    const { drain } = await deliver(target, config, samples)
    const kinds = kindsOf(await drain())
    if (kinds.join() !== 'done') problems.push(`a delivery with ${shown(config)} came to ${kinds.join() || 'nothing'}`)
  }
  return problems
}

const checkConfig: Check = async (target, samples) => {
  const problems: Problems = []
  const misspelt = samples.configs.map((config) => ({ ...(config as object), unknownMember: 1 }))
  for (const config of [...misspelt, ...(samples.badConfigs ?? [])]) {
    const error: unknown = await deliver(target, config, samples).then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    if (error === undefined) problems.push(`a trigger with the configuration ${shown(config)} is taken`)
    else if (!isOutbusError(error))
      problems.push(`${shown(config)}: ${error instanceof Error ? error.message : shown(error)}`)
  }
  return problems
}

const checkFailure: Check = async (target, samples) => {
  const { failing } = samples
  if (failing === undefined) return []
  const { drain, clock, cx } = await deliver(target, failing, samples)
  const first = kindsOf(await drain())
  await clock.advance(3_600_000)
  const second = kindsOf(await drain())
  if (first.join() === 'dead') return []
  if (`${first.join()},${second.join()}` !== 'retry,dead')
    return [`two attempts with ${shown(failing)} came to ${first.join()}, ${second.join()}: retry, dead was expected`]
  const { items } = await cx.deadLetters.list()
  return items[0]?.errors.length === 2 ? [] : ['the dead letter does not have the error of every attempt']
}

/** By what is promised when it passes. */
export const TARGET_CHECKS: Readonly<Record<string, Check>> = {
  'a delivery runs, and is done': checkRuns,
  'a configuration that it cannot run is refused when the trigger is created': checkConfig,
  'a failure is an outcome: retried, then a dead letter with every error': checkFailure,
}

/** `plugin`: the target, as it is given to `createBus`. Needs the kit's global setup, for a Postgres. */
export function describeTarget<T extends AnyTarget>(plugin: T, samples: TargetSamples<T>): void {
  describe(`target ${plugin.type} keeps the contract`, () => {
    test.for(Object.entries(TARGET_CHECKS))('%s', async ([, check]) => {
      expect(await check(plugin, samples as AnySamples)).toEqual([])
    })
  })
}
