/**
 * `npm run bench:worst`: for how long the worst input that the default limits let through keeps the event loop from everybody else. Every
 * case is one call that does not yield. The bench fails where one takes more than 50 ms.
 *
 * A case is the largest filter against the largest event, since what multiplies the two is what a stranger can use. Times are of the
 * processor, where Node says them: what else the machine does counts for nothing.
 */
import type { AnySource } from '@outbus/core'
import { compilePattern, encodeJson, isOutbusError, OutbusError } from '@outbus/core'
import type { StoredTrigger } from '@outbus/core/matching'
import { MatchingIndex } from '@outbus/core/matching'
import { docs } from '@outbus/docs'
import { http } from '@outbus/http'
import { kv } from '@outbus/kv'
import { pubsub } from '@outbus/pubsub'

const MOST_MS = 50
const ROUNDS = 5
/** Of an event, as `maxEventBytes` has it. */
const BYTES = 262_144

interface Case {
  readonly name: string
  readonly run: () => unknown
}

/** Of this thread: system and user time. */
function cpuMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1_000
}

/** As many as fit into an event. */
function many<T>(size: number, of: (i: number) => T): T[] {
  const items: T[] = []
  for (let bytes = 0; bytes < BYTES - 2_000; bytes += size) items.push(of(items.length))
  return items
}

const times = <T>(count: number, of: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => of(i))

function indexOf(source: AnySource, filters: readonly unknown[]): MatchingIndex {
  const rows = filters.map((filter, i): StoredTrigger => ({
    epoch: '1',
    id: `00000000-0000-0000-0000-${String(i).padStart(12, '0')}`,
    name: `t${i}`,
    source: source.name,
    filter,
    target: { type: 'function', name: 'f' },
    retry: {},
    priority: 1,
    timeout_ms: 1_000,
    ordered: false,
    transactional: false,
    concurrency: null,
    rate_limit: null,
    registrant: null,
    run_as: 'registrant',
  }))
  return new MatchingIndex('app', '1', rows, new Map([[source.name, source]]))
}

function matching(name: string, source: AnySource, filters: readonly unknown[], event: { op: string }): Case {
  let index: MatchingIndex | undefined
  return {
    name,
    run: () => {
      // Made by the first round, which is not measured.
      index ??= indexOf(source, filters)
      try {
        return index.match(source, event)
      } catch (error) {
        // More steps than one event may take: what it took until then is what counts.
        if (isOutbusError(error, 'pattern.too_complex')) return 'refused'
        throw error
      }
    },
  }
}

const set = (value: unknown) => ({ op: 'set', collection: 'c', key: 'k', value, version: 1 }) as { op: string }

function patternCases(): Case[] {
  const short = many(4, () => 'a')
  const addresses = many(12, (i) => `10.0.${(i >> 8) & 255}.${i & 255}`)
  const numbers = many(7, (i) => 100_000 + i)
  const long = 'a'.repeat(BYTES - 2_000)
  const over = (name: string, pattern: object, value: unknown, count = 1) =>
    matching(
      `pattern: ${name}`,
      kv(),
      times(count, () => ({ pattern })),
      set(value),
    )
  return [
    over('1,900 beginnings × a list of 65,000', { x: times(1_900, (i) => ({ prefix: `b${i}` })) }, { x: short }),
    over('1,900 endings × a list of 65,000', { x: times(1_900, (i) => ({ suffix: `b${i}` })) }, { x: short }),
    over(
      '1,900 in any case × a list of 65,000',
      { x: times(1_900, (i) => ({ 'equals-ignore-case': `b${i}` })) },
      { x: short },
    ),
    over(
      'beginnings of each length × one long text',
      { x: times(900, (i) => ({ prefix: `${'a'.repeat(i + 1)}b` })) },
      { x: long },
    ),
    over(
      '390 ranges × a list of 37,000',
      { x: times(390, (i) => ({ numeric: ['>', i, '<', i + 0.5] })) },
      { x: numbers },
    ),
    over('the most wildcards × a list of 65,000', { x: times(50, (i) => ({ wildcard: `*b${i}*c*` })) }, { x: short }),
    over('the most wildcards × one long text', { x: times(50, (i) => ({ wildcard: `*a*b${i}*c*` })) }, { x: long }),
    over(
      'the most address blocks × a list of 21,000',
      { x: times(50, (i) => ({ cidr: `11.${i}.0.0/16` })) },
      { x: addresses },
    ),
    over(
      'the most exceptions × a list of 65,000',
      { x: times(50, () => ({ 'anything-but': { prefix: ['a'] } })) },
      { x: short },
    ),
    over(
      'found in each of a list, and tested beside it',
      { x: [{ prefix: 'a' }], z: [{ numeric: ['>', 1e9] }] },
      { x: many(8, () => 'a'), z: many(8, (i) => i % 9) },
    ),
    over(
      'found by each of its beginnings, and tested beside it',
      { x: times(900, (i) => ({ prefix: 'a'.repeat(i + 1) })), z: [{ numeric: ['>', 1e9] }] },
      { x: 'a'.repeat(1_000), z: many(2, (i) => i % 9) },
    ),
    over(
      '200 alternatives × a list of 65,000',
      { $or: times(200, (i) => ({ x: [`b${i}`], y: [{ exists: true }] })) },
      { x: short, y: 1 },
    ),
    over(
      'absent among objects of a list',
      { x: { y: [{ exists: false }], z: ['b'] } },
      { x: many(18, () => ({ y: 1, z: 'a' })) },
    ),
    over('names with dots', { a: { b: ['x'] } }, Object.fromEntries(many(16, (i) => [`a.b.c${i}`, 1]))),
    over(
      '63 levels of lists',
      { x: ['b'] },
      {
        x: times(60, (i) => i).reduce<unknown>(
          (inner) => [inner],
          many(4, () => 'a'),
        ),
      },
    ),
    {
      name: 'pattern: the largest is compiled',
      run: () => compilePattern({ $or: times(200, (i) => ({ x: times(8, (j) => `b${i}.${j}`) })) }),
    },
  ]
}

function otherCases(): Case[] {
  const members = many(16, (i) => [`m${i}`, 1] as const)
  const flat = Object.fromEntries(members)
  const changed = members.map(([name]) => name)
  const deep = times(60, (i) => i).reduce<object>((inner) => ({ n: inner }), flat)
  const topic = times(16, (i) => `t${i}`).join('.')
  const route = `/${times(499, () => 'a').join('/')}`
  return [
    matching(
      'docs: 100 filters of 200 paths × 16,000 changed members',
      docs(),
      times(100, (n) => ({ changed: times(200, (i) => `other${n}.${i}`) })),
      { op: 'created', collection: 'c', id: 'i', version: 1, changed, after: flat } as { op: string },
    ),
    matching(
      'docs: paths of 64 steps',
      docs(),
      times(100, (n) => ({ changed: times(200, (i) => `${'n.'.repeat(62)}x${n}.${i}`) })),
      {
        op: 'created',
        collection: 'c',
        id: 'i',
        version: 1,
        changed: many(140, (i) => `${'n.'.repeat(62)}y${i}`),
        after: deep,
      } as { op: string },
    ),
    matching(
      'kv: 100 globs × a name',
      kv(),
      times(100, (i) => ({ collection: `${'?a*'.repeat(40)}${i}`.slice(0, 127) })),
      { op: 'set', collection: 'a'.repeat(128), key: 'k'.repeat(255), value: 1, version: 1 } as { op: string },
    ),
    matching(
      'pubsub: 1,000 subscriptions × a topic',
      pubsub(),
      times(1_000, (i) => ({ topic: times(16, (j) => ((i >> (j % 10)) & 1 ? '*' : `t${j}`)).join('.') })),
      { op: 'published', topic, message: 1 } as { op: string },
    ),
    matching(
      'http: 1,000 routes × a path of 499 segments',
      http(),
      times(1_000, (i) => ({
        path: `/a/${times(400, () => ':p')
          .map((_, j) => `:p${j}`)
          .join('/')}`
          .slice(0, 990 - (i % 5))
          .replace(/\/:?[^/]*$/, ''),
      })),
      { op: 'request', method: 'GET', path: route, query: {}, headers: {}, body: null, encoding: null } as {
        op: string
      },
    ),
    { name: 'json: the largest event is checked', run: () => encodeJson(flat) },
    { name: 'json: a deep one', run: () => encodeJson(deep) },
    { name: 'json: one list of 65,000', run: () => encodeJson(many(4, () => 'a')) },
    {
      name: 'error: shows a value without end',
      run: () =>
        new OutbusError('options.invalid', 'm'.repeat(BYTES), {
          path: 'p'.repeat(BYTES),
          received: flat,
          hint: 'postgres://u:'.repeat(20_000),
        }),
    },
  ]
}

let slow = 0
for (const { name, run } of [...patternCases(), ...otherCases()]) {
  const took: number[] = []
  let result: unknown
  for (let round = 0; round <= ROUNDS; round++) {
    const from = cpuMs()
    result = run()
    if (round > 0) took.push(cpuMs() - from)
  }
  const ms = took.toSorted((a, b) => a - b)[Math.floor(ROUNDS / 2)] as number
  const isSlow = ms > MOST_MS
  if (isSlow) slow++
  process.stdout.write(
    `${ms.toFixed(1).padStart(9)} ms  ${isSlow ? 'TOO LONG  ' : ''}${name}${result === 'refused' ? ' (refused)' : ''}\n`,
  )
}
if (slow > 0) {
  process.stdout.write(`${slow} of them keep the event loop for more than ${MOST_MS} ms\n`)
  process.exitCode = 1
}
