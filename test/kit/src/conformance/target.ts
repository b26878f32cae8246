/** The conformance kit for targets. */
import { isOutbusError } from '@outbus/core'
import type { OutcomeMessage } from '@outbus/core'
import { definePlugin, defineSource } from '@outbus/core/plugin'
import type { AnyPlugin, AnyTarget, Delivery } from '@outbus/core/plugin'
import { setTimeout as sleep } from 'node:timers/promises'
import { types } from 'node:util'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { reasonOf } from './calls.ts'
import { targetOf, trying, withTarget } from './parts.ts'
import { freeze, saysFrozen } from './plain.ts'
import { useTestBus } from '../test-bus.ts'
import type { Problems } from './samples.ts'
import { shown } from './samples.ts'

interface Samples<C> {
  /** At least one; each is run with an event and has to come to the outcome `done`. */
  readonly configs: readonly C[]
  /** Configurations that must be refused when a trigger is created. At least one. */
  readonly badConfigs: readonly unknown[]
  /** One with which a run goes on for longer than a moment: it has to end within two seconds of its signal's abort. */
  readonly slow?: C
  /** The type of the target that these are samples of, where the plugin brings several. */
  readonly target?: string
  /** What is delivered. Default `{ hello: 'world' }`. */
  readonly event?: unknown
}

/** One with which a delivery fails: its error is recorded and its attempts are counted. Or `none`, and why none can. */
type Failing<C> = { readonly failing: C } | { readonly failing: 'none'; readonly whyNone: string }

export type TargetSamples<T extends AnyTarget> = Samples<z.input<T['config']>> & Failing<z.input<T['config']>>

type AnySamples = TargetSamples<AnyTarget>
type Check = (plugin: AnyPlugin, samples: AnySamples) => Promise<Problems>

const probe = definePlugin({
  name: 'probe',
  sources: [
    defineSource({
      name: 'probe',
      version: 1,
      events: { sent: z.strictObject({ event: z.unknown() }) },
      filter: z.strictObject({}),
      keys: () => [''],
      keysOf: () => [''],
      matches: () => true,
      serialize: ({ event }) => event as string,
      api: () => ({}),
    }),
  ],
})

interface Settings {
  readonly timeoutMs?: number
}

async function deliver(plugin: AnyPlugin, config: unknown, samples: AnySamples, settings: Settings = {}) {
  const { event = { hello: 'world' } } = samples
  const tested = await useTestBus({ plugins: [probe, plugin] })
  await tested.cx.triggers.create({
    name: 'probe',
    source: 'probe',
    filter: {},
    target: { type: targetOf(plugin).type, ...(config as object) },
    retry: { strategy: 'constant', maxAttempts: 2, baseDelayMs: 3_600_000, jitter: 'none' },
    ...settings,
  })
  await tested.cx.emit('probe', { op: 'sent', event })
  return tested
}

type Run = AnyTarget['run']

/** The plugin, whose target's runs go through `run`. */
function runBy(plugin: AnyPlugin, run: Run): AnyPlugin {
  // Inherits everything else, whatever the target is an instance of.
  return withTarget(plugin, Object.create(targetOf(plugin), { run: { value: run, enumerable: true } }) as AnyTarget)
}

const kindsOf = (outcomes: readonly OutcomeMessage[]) => outcomes.map(({ outcome }) => outcome.kind)

const checkRuns: Check = async (plugin, samples) => {
  const problems: Problems = []
  if (samples.configs.length === 0) problems.push('there is no sample of a configuration')
  for (const config of samples.configs) {
    // What other deliveries get as well.
    const onFrozen: Run = async (args) => {
      freeze(args.config)
      freeze(args.delivery.event)
      try {
        return await targetOf(plugin).run(args)
      } catch (error) {
        if (saysFrozen(error)) problems.push(`with ${shown(config)} it changes what it is given: ${reasonOf(error)}`)
        throw error
      }
    }
    const { drain } = await deliver(runBy(plugin, onFrozen), config, samples)
    const kinds = kindsOf(await drain())
    if (kinds.join() !== 'done') problems.push(`a delivery with ${shown(config)} came to ${kinds.join() || 'nothing'}`)
  }
  return problems
}

const checkConfig: Check = async (plugin, samples) => {
  const problems: Problems = []
  const { badConfigs = [] } = samples as Partial<AnySamples>
  if (badConfigs.length === 0) problems.push('there is no sample of a configuration that is refused: badConfigs')
  const misspelt = samples.configs.map((config) => ({ ...(config as object), unknownMember: 1 }))
  for (const config of [...misspelt, ...badConfigs]) {
    const error: unknown = await deliver(plugin, config, samples).then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    if (error === undefined) problems.push(`a trigger with the configuration ${shown(config)} is taken`)
    else if (!isOutbusError(error))
      problems.push(`${shown(config)}: ${types.isNativeError(error) ? error.message : shown(error)}`)
  }
  return problems
}

const checkFailure: Check = async (plugin, samples) => {
  const { failing, whyNone } = samples as { readonly failing?: unknown; readonly whyNone?: string }
  if (failing === undefined)
    return ['there is no sample of a configuration that fails: failing, or failing: "none" and whyNone']
  if (failing === 'none') return whyNone?.trim() ? [] : ['failing is "none": whyNone says why no delivery can fail']
  const { drain, clock, cx } = await deliver(plugin, failing, samples)
  const first = kindsOf(await drain())
  await clock.advance(3_600_000)
  const second = kindsOf(await drain())
  if (first.join() === 'dead') return []
  if (`${first.join()},${second.join()}` !== 'retry,dead')
    return [`two attempts with ${shown(failing)} came to ${first.join()}, ${second.join()}: retry, dead was expected`]
  const { items } = await cx.deadLetters.list()
  return items[0]?.errors.length === 2 ? [] : ['the dead letter does not have the error of every attempt']
}

/** After its abort a run holds nothing for longer than this. */
const ENDS_WITHIN_MS = 2_000
const SLOW_TIMEOUT_MS = 200
const STARTS_WITHIN_MS = 5_000

const checkSignal: Check = async (plugin, samples) => {
  const { slow } = samples
  if (slow === undefined) return []
  const started = Promise.withResolvers<void>()
  const aborted = Promise.withResolvers<void>()
  const over = Promise.withResolvers<void>()
  let isOver = false
  const watched: Run = async (args) => {
    started.resolve()
    args.signal.addEventListener('abort', () => aborted.resolve(), { once: true })
    try {
      return await targetOf(plugin).run(args)
    } finally {
      isOver = true
      over.resolve()
    }
  }
  const { bus } = await deliver(runBy(plugin, watched), slow, samples, { timeoutMs: SLOW_TIMEOUT_MS })
  await bus.start()
  const patience = new AbortController()
  const after = (ms: number) => sleep(ms, undefined, { signal: patience.signal }).catch(() => {})
  try {
    const ran = await Promise.race([started.promise.then(() => true), after(STARTS_WITHIN_MS).then(() => false)])
    if (!ran) return [`a delivery with ${shown(slow)} did not run`]
    await Promise.race([aborted.promise, over.promise])
    if (isOver) return [`a run with ${shown(slow)} was over before its signal was aborted: slow is to take longer`]
    await Promise.race([over.promise, after(ENDS_WITHIN_MS)])
    return isOver ? [] : [`a run with ${shown(slow)} still goes on ${ENDS_WITHIN_MS} ms after its signal was aborted`]
  } finally {
    patience.abort()
  }
}

/** The delivery, which notes what of it is read. */
function noting(delivery: Delivery, read: Set<PropertyKey>): Delivery {
  return new Proxy(delivery, {
    get(of, member) {
      read.add(member)
      // Of itself, not of the proxy: it has private members.
      return Reflect.get(of, member, of) as unknown
    },
  })
}

const checkKey: Check = async (plugin, samples) => {
  const problems: Problems = []
  for (const config of samples.configs) {
    const read = new Set<PropertyKey>()
    const noted: Run = (args) => targetOf(plugin).run({ ...args, delivery: noting(args.delivery, read) })
    const { drain } = await deliver(runBy(plugin, noted), config, samples)
    await drain()
    if (read.has('deliveryId') && !read.has('idempotencyKey'))
      problems.push(
        `with ${shown(config)} it reads deliveryId and not idempotencyKey: a receiver that dedupes by a delivery's id ` +
          'takes another event for done after a restore or a failover',
      )
  }
  return problems
}

/** By what is promised when it passes. */
export const TARGET_CHECKS: Readonly<Record<string, Check>> = {
  'a delivery runs, and is done': checkRuns,
  'a configuration that it cannot run is refused when the trigger is created': checkConfig,
  'a failure is an outcome: retried, then a dead letter with every error': checkFailure,
  'a run ends when its signal is aborted': checkSignal,
  'where a delivery is told apart outside, it is by its idempotencyKey': checkKey,
}

/**
 * `plugin`: as it is given to `createBus`. Tries its target; of several, the one that `samples.target` names. Needs the
 * kit's global setup, for a Postgres.
 */
export function describeTarget<T extends AnyTarget>(
  plugin: AnyPlugin & { readonly targets?: readonly T[] },
  samples: TargetSamples<T>,
): void {
  const tried = trying(plugin, 'targets', samples.target)
  describe(`target ${targetOf(tried).type} keeps the contract`, () => {
    test.for(Object.entries(TARGET_CHECKS))('%s', async ([, check]) => {
      expect(await check(tried, samples as AnySamples)).toEqual([])
    })
  })
}
