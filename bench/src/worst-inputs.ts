/** The worst inputs beside patterns, for `npm run bench:worst`. */
import { isOutbusError, OutbusError } from '@outbus/core'
import { encodeJson } from '@outbus/core/plugin'
import { docs } from '@outbus/docs'
import { http } from '@outbus/http'
import { kv } from '@outbus/kv'
import { pubsub } from '@outbus/pubsub'
import { schedule } from '@outbus/schedule'
import type { ScheduleApi } from '@outbus/schedule'
import type { Case } from './worst-case.ts'
import { BYTES, many, matching, sourceOf, times } from './worst-case.ts'

/** Half a second of calculation for a thousand of them. */
const SPARSE = '0 0 29 2 *'

function refusedOf(run: () => unknown): unknown {
  try {
    return run()
  } catch (error) {
    if (isOutbusError(error)) return 'refused'
    throw error
  }
}

export function inputCases(): Case[] {
  const members = many(16, (i) => [`m${i}`, 1] as const)
  const text = 'a'.repeat(100_000_000)
  // A preview asks its context for no more than whose it is.
  const schedules = sourceOf(schedule()).api({ app: 'app' } as never) as ScheduleApi
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
      name: 'json: a text of 100 MB',
      run: () => refusedOf(() => encodeJson(text)),
    },
    {
      name: 'schedule: a preview of a thousand sparse times',
      run: () => schedules.preview(SPARSE, { count: 1_000 }).catch(() => 'refused'),
    },
    {
      name: 'schedule: a preview of a rule that never occurs',
      run: () => schedules.preview('FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30', { count: 1_000 }).catch(() => 'refused'),
    },
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
