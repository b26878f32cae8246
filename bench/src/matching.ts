/**
 * `npm run bench:matching`: what it costs to find the triggers that match one event, with 10, 1,000 and 100,000 triggers, by
 * the kind of their filters; and what one more trigger costs an index of that size. In memory, the way an emit does it; the
 * event has just been parsed. Each event matches one trigger (of the mix: one of each kind). Medians over rounds.
 *
 * Twice: with events that between them match as many triggers as there are, 20,000 at most, so that of a large index each
 * lookup waits for memory; and with events that match the same thousand again and again.
 */
import type { AnyPlugin, AnySource } from '@outbus/core/plugin'
import type { StoredTrigger } from '@outbus/core/matching'
import { MatchingIndex } from '@outbus/core/matching'
import { kv } from '@outbus/kv'
import { pubsub } from '@outbus/pubsub'

const SIZES = [10, 1_000, 100_000]
const ROUNDS = 7
const EVENTS = 20_000
/** Triggers that are matched again and again. */
const BUSY = 1_000
/** Parsed just before they are matched, as an emit has just been handed its event. */
const AT_A_TIME = 50

interface Mix {
  readonly name: string
  readonly source: 'kv' | 'pubsub'
  readonly filter: (i: number) => object
  readonly event: (i: number) => { op: string }
  readonly matches: number
}

const order = (i: number) => ({
  id: `o-${i}`,
  customer: { id: `c-${i}`, plan: i % 2 === 0 ? 'pro' : 'free', email: `ada${i}@example.org` },
  total: i,
  lines: [{ sku: `sku-${i}`, count: 2 }],
  path: `/eu/${i}/orders`,
})
const set = (collection: string, key: string, value: unknown = null) =>
  ({ op: 'set', collection, key, value, version: 1 }) as { op: string }

const KINDS = {
  exact: (i: number) => ({ collection: `tenant-${i}` }),
  glob: (i: number) => ({ collection: `tenant-${i}-*` }),
  prefix: (i: number) => ({ collection: 'users', keyPrefix: `tenant-${i}/` }),
  'pattern, exact': (i: number) => ({
    collection: 'orders',
    pattern: { customer: { plan: ['pro', 'free'], id: [`c-${i}`] } },
  }),
  'pattern, prefix': (i: number) => ({ collection: 'orders', pattern: { path: [{ prefix: `/eu/${i}/` }] } }),
  'pattern, suffix': (i: number) => ({
    collection: 'orders',
    pattern: { customer: { email: [{ suffix: `ada${i}@example.org` }] } },
  }),
  'pattern, wildcard': (i: number) => ({ collection: 'orders', pattern: { path: [{ wildcard: `/eu/${i}/*s` }] } }),
  'pattern, $or': (i: number) => ({
    collection: 'orders',
    pattern: { $or: [{ id: [`x-${i}`] }, { lines: { sku: [`sku-${i}`], count: [{ numeric: ['>', 1] }] } }] },
  }),
}
const ON_ORDERS = (i: number) => set('orders', `o-${i}`, order(i))
const kinds = Object.values(KINDS)

const MIXES: readonly Mix[] = [
  { name: 'kv, exact', source: 'kv', filter: KINDS.exact, event: (i) => set(`tenant-${i}`, 'ada'), matches: 1 },
  { name: 'kv, glob', source: 'kv', filter: KINDS.glob, event: (i) => set(`tenant-${i}-users`, 'ada'), matches: 1 },
  { name: 'kv, prefix', source: 'kv', filter: KINDS.prefix, event: (i) => set('users', `tenant-${i}/ada`), matches: 1 },
  ...(['pattern, exact', 'pattern, prefix', 'pattern, suffix', 'pattern, wildcard', 'pattern, $or'] as const).map(
    (name): Mix => ({ name: `kv, ${name}`, source: 'kv', filter: KINDS[name], event: ON_ORDERS, matches: 1 }),
  ),
  {
    name: 'kv, all of these mixed',
    source: 'kv',
    filter: (i) => (kinds[i % kinds.length] as (i: number) => object)(Math.floor(i / kinds.length)),
    event: ON_ORDERS,
    matches: 5,
  },
  {
    name: 'pubsub, a third each exact, * and >',
    source: 'pubsub',
    filter: (i) => {
      const topic = `tenant.t${Math.floor(i / 3)}`
      return { topic: [`${topic}.orders.created`, `${topic}.*.created`, `${topic}.>`][i % 3] }
    },
    event: (i) => ({ op: 'published', topic: `tenant.t${i}.orders.created`, message: null }) as { op: string },
    matches: 3,
  },
]

const sources = new Map<string, AnySource>([
  ['kv', sourceOf(kv())],
  ['pubsub', sourceOf(pubsub())],
])

function sourceOf({ sources = [] }: AnyPlugin): AnySource {
  return sources[0] as AnySource
}

function stored(source: string, i: number, filter: object): StoredTrigger {
  return {
    epoch: '1',
    id: `t${i}`,
    name: `t${i}`,
    source,
    filter,
    target: { type: 'function', name: 'f' },
    retry: {},
    priority: 1,
    timeout_ms: 1,
    ordered: false,
    transactional: false,
    concurrency: null,
    rate_limit: null,
    registrant: null,
    run_as: 'registrant',
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number
}

interface Measured {
  readonly matchUs: number
  readonly busyUs: number
  readonly addUs: number
}

async function measure(mix: Mix, size: number): Promise<Measured> {
  const rows = Array.from({ length: size }, (_, i) => stored(mix.source, i, mix.filter(i)))
  let index = new MatchingIndex('bench', '1', rows, sources)
  const subjects = mix.name.includes('mixed') ? size / kinds.length : mix.source === 'pubsub' ? size / 3 : size
  const matchUs = matchTime(mix, index, subjects)
  const busyUs = matchTime(mix, index, Math.min(BUSY, subjects))
  const addTimes: number[] = []
  for (let i = 0; i < 2_000; i++) {
    const row = stored(mix.source, size + i, mix.filter(size + i))
    const start = performance.now()
    index = (await index.followedBy(String(i + 2), new Map([[row.id, row]]))) as MatchingIndex
    addTimes.push((performance.now() - start) * 1_000)
  }
  return { matchUs, busyUs, addUs: addTimes.reduce((sum, time) => sum + time, 0) / addTimes.length }
}

function matchTime(mix: Mix, index: MatchingIndex, subjects: number): number {
  const source = sources.get(mix.source) as AnySource
  const texts = Array.from({ length: EVENTS }, (_, i) =>
    JSON.stringify(mix.event((i * 7_919) % Math.max(1, Math.floor(subjects)))),
  )
  const times: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    let matched = 0
    let spent = 0
    for (let i = 0; i < EVENTS; i += AT_A_TIME) {
      const events = texts.slice(i, i + AT_A_TIME).map((text) => JSON.parse(text) as { op: string })
      const start = performance.now()
      for (const event of events) matched += index.match(source, event).length
      spent += performance.now() - start
    }
    times.push((spent * 1_000) / EVENTS)
    if (matched !== mix.matches * EVENTS) throw new Error(`${mix.name}: ${matched / EVENTS} matches an event`)
  }
  return median(times)
}

const results: (Measured & { readonly mix: string; readonly triggers: number })[] = []
for (const mix of MIXES)
  for (const size of SIZES) results.push({ mix: mix.name, triggers: size, ...(await measure(mix, size)) })
if (process.argv.includes('--json')) process.stdout.write(`${JSON.stringify(results)}\n`)
else {
  process.stdout.write(
    'µs to match one event | the same thousand triggers again and again | to add one trigger (mean of 2,000), by number of triggers\n',
  )
  process.stdout.write(`${''.padEnd(40)}${SIZES.map((size) => size.toLocaleString('en').padStart(22)).join('')}\n`)
  for (const { name } of MIXES) {
    const cells = results
      .filter(({ mix }) => mix === name)
      .map(({ matchUs, busyUs, addUs }) =>
        `${matchUs.toFixed(2)} | ${busyUs.toFixed(2)} | ${addUs.toFixed(0)}`.padStart(22),
      )
    process.stdout.write(`${name.padEnd(40)}${cells.join('')}\n`)
  }
}
