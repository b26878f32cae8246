/** As many triggers as an app may have, each with a filter that is dear, for `npm run bench:worst`. */
import { isOutbusError } from '@outbus/core'
import { compilePattern } from '@outbus/core/plugin'
import type { JsonValue } from '@outbus/core/plugin'
import { explain } from '@outbus/core/matching'
import { docs } from '@outbus/docs'
import { http } from '@outbus/http'
import { kv } from '@outbus/kv'
import { pubsub } from '@outbus/pubsub'
import type { Case } from './worst-case.ts'
import { indexOf, many, matching, set, sourceOf, times } from './worst-case.ts'

/** The quota `triggers`. */
const TRIGGERS = 10_000

/** 200 alternatives beside members that each of them is combined with. */
const combined = (members: number) => ({
  $or: times(200, (i) => ({ y: [`b${i}`] })),
  ...Object.fromEntries(times(members, (i) => [`a${i}`, ['x']])),
})

export function triggerCases(): Case[] {
  const request = (path: string) =>
    ({ op: 'request', method: 'GET', path, query: {}, headers: {}, body: null, encoding: null }) as { op: string }
  return [
    matching(
      'kv: 10,000 globs that go back often × a name',
      kv(),
      times(TRIGGERS, () => ({ collection: `*${'a'.repeat(62)}b*` })),
      { op: 'set', collection: 'a'.repeat(128), key: 'k'.repeat(255), value: 1, version: 1 } as { op: string },
    ),
    matching(
      'pubsub: 10,000 subscriptions of wildcards × a topic',
      pubsub(),
      times(TRIGGERS, (i) => ({
        topic: `*.*.*.*.*.*.${times(10, (j) => ((i >> j) & 1 ? '*' : `t${j + 6}`)).join('.')}`,
      })),
      { op: 'published', topic: times(16, (i) => `t${i}`).join('.'), message: 1 } as { op: string },
    ),
    matching(
      'http: 10,000 routes × a path of 5,400 encoded segments',
      http(),
      times(TRIGGERS, (i) => ({ path: `/:a/b${i}` })),
      request(`/${times(5_400, () => '%41').join('/')}`.slice(0, 16_384)),
    ),
    matching(
      'http: 10,000 routes of 490 segments × a path as long',
      http(),
      times(TRIGGERS, (i) => ({ path: `/:a/${times(480, () => 'a').join('/')}${i}` })),
      request(`/${times(481, () => 'a').join('/')}`),
    ),
    matching(
      'docs: 5,000 filters of 200 paths × 16,000 changed members',
      docs(),
      times(5_000, (n) => ({ changed: times(200, (i) => `other${n}.${i}`) })),
      {
        op: 'created',
        collection: 'c',
        id: 'i',
        version: 1,
        changed: many(16, (i) => `m${i}`),
        after: {},
      } as { op: string },
    ),
    matching(
      'pattern: 10,000 that nothing leads to × a list of 30,000',
      kv(),
      times(TRIGGERS, (i) => ({ pattern: { [`x${i % 7}`]: [{ exists: false }], z: [{ numeric: ['>', 1e6 + i] }] } })),
      set({ z: times(30_000, (i) => i) }),
    ),
    matching(
      'pattern: 10,000 beginnings of each length × 25 long texts',
      kv(),
      times(400, (i) => ({ pattern: { x: times(25, (j) => ({ prefix: 'a'.repeat(i * 25 + j + 1) })), z: [i] } })),
      set({ x: times(25, (i) => 'a'.repeat(10_000 + i)) }),
    ),
    {
      name: 'pattern: the most combinations are compiled',
      run: () => compilePattern(combined(48)),
    },
    {
      name: 'pattern: more combinations than there may be',
      run: () => {
        try {
          return compilePattern(combined(780))
        } catch (error) {
          if (isOutbusError(error, 'pattern.too_complex')) return 'refused'
          throw error
        }
      },
    },
    {
      name: 'index: 50 triggers with the most combinations are read',
      run: () =>
        indexOf(
          kv(),
          times(50, () => ({ pattern: combined(48) })),
        ),
    },
    {
      name: 'index: 10,000 triggers are read',
      run: () =>
        indexOf(
          docs(),
          times(TRIGGERS, (i) => ({ collection: `c${i}`, changed: times(10, (j) => `a${i}.${j}`) })),
        ),
    },
    explaining(),
  ]
}

function explaining(): Case {
  const value = Object.fromEntries(many(16, (i) => [`m.n${i}`, 1])) as JsonValue
  const items = times(50, (i) => ({
    id: String(i),
    name: String(i),
    source: 'kv',
    enabled: true,
    filter: { collection: '*', ops: ['set'], keyPrefix: 'k', pattern: combined(48) },
  }))
  const triggers = { list: () => Promise.resolve({ items }) } as never
  return {
    name: 'explain: the largest event, triggers with the most combinations',
    run: () => explain(triggers, sourceOf(kv()), set(value)),
  }
}
