/** The plans of what runs on the hot path: by index, with ten rows and with very many, fresh statistics or none. */
import { createBus } from '@outbus/core'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import type pg from 'pg'
import pino from 'pino'
import { expect, test } from 'vitest'
import { beginText } from '../../core/src/postgres/session.ts'
import { claimSettings } from '../../core/src/sql/claim/begin-claim.ts'
import { aloneIsDue } from '../../core/src/sql/claim/alone-is-due.ts'
import { claimBatch, claimSized } from '../../core/src/sql/claim/claim-batch.ts'
import { claimFresh } from '../../core/src/sql/claim/claim-fresh.ts'
import { claimOrdered, claimOrderedDue } from '../../core/src/sql/claim/claim-ordered.ts'
import { claimOvertaken } from '../../core/src/sql/claim/claim-overtaken.ts'
import { blankAudit } from '../../core/src/sql/apps/erase-rows.ts'
import { findRequest } from '../../core/src/sql/requests/find-request.ts'
import { finish } from '../../core/src/sql/settle/finish.ts'
import { listAudit } from '../../core/src/sql/audit/list-audit.ts'
import { leaveRequests } from '../../core/src/sql/requests/leave-requests.ts'
import { reschedule } from '../../core/src/sql/settle/reschedule.ts'
import { settleRequests } from '../../core/src/sql/requests/settle-requests.ts'
import { shedRequests } from '../../core/src/sql/requests/shed-requests.ts'
import { singleIsWaiting } from '../../core/src/sql/claim/single-is-waiting.ts'
import { lockLimitsAlone, takeAlone } from '../../core/src/sql/claim/take-alone.ts'
import { lockLimits, lockLimitsNear, takeSingles, takeSinglesNear } from '../../core/src/sql/claim/take-singles.ts'
import { findFirstSingleStarts, findSingleStarts } from '../../core/src/sql/claim/find-single-starts.ts'
import { findStarts } from '../../core/src/sql/claim/find-starts.ts'
import { unpark } from '../../core/src/sql/pause/unpark.ts'
import { takeRequests, takeRequestsInTurns, takeRequestsInTurnsNear } from '../../core/src/sql/claim/take-requests.ts'
import { nextDue } from '../../core/src/sql/claim/next-due.ts'
import { writeNote } from '../../core/src/sql/note/write-note.ts'

interface Node {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly 'Index Name'?: string
  readonly Plans?: readonly Node[]
}

function nodesOf(node: Node): Node[] {
  return [node, ...(node.Plans ?? []).flatMap(nodesOf)]
}

async function nodesOfPlan(
  client: pg.ClientBase,
  { text }: { readonly text: string },
  parameters: string,
): Promise<Node[]> {
  await client.query(`prepare planned as ${text.replaceAll('{schema}', 'outbus')}`)
  const { rows: plans } = await client.query<{ 'QUERY PLAN': { Plan: Node }[] }>(
    `explain (format json) execute planned${parameters === '' ? '' : `(${parameters})`}`,
  )
  await client.query('deallocate planned')
  return nodesOf(plans[0]?.['QUERY PLAN'][0]?.Plan as Node)
}

const readsWholeOutbox = (node: Node) => node['Node Type'] === 'Seq Scan' && node['Relation Name'] === 'outbox'

test.for([10, 1_000_000])(
  'claim and settle go by index with %i rows, analyzed or not (G6)',
  { timeout: 60_000 },
  async (rows) => {
    const db = await useTestDatabase({ plugins: [] })
    const bus = await createBus({ database: db.url, migrate: true, log: pino({ level: 'silent' }) })
    await bus.stop()
    await db.pool.query(
      `insert into outbus.outbox (priority, app_id, event_id, event, event_version, trigger_id, trigger, depth, root_id)
     select 1, 'a', gen_random_uuid(), '{"text":"x"}', 1, gen_random_uuid(), '{}', 1, gen_random_uuid() from generate_series(1, $1)`,
      [rows],
    )
    const client = await db.pool.connect()
    try {
      for (const analyzed of [false, true]) {
        if (analyzed) await client.query('analyze outbus.outbox')
        for (const generic of ['force_generic_plan', 'force_custom_plan']) {
          await client.query(beginText(undefined, claimSettings(10_000)))
          await client.query(`set local plan_cache_mode = ${generic}`)
          const ids = `'{${Array.from({ length: 500 }, (_, i) => i + 1).join(',')}}'`
          const from = `500, '-infinity', '-infinity', '-infinity'`
          const claim = [
            ...(await nodesOfPlan(client, claimBatch, `${from}, 16777, 1, 0`)),
            ...(await nodesOfPlan(client, claimSized, `${from}, 8388608, 4, 1`)),
          ]
          expect(claim.filter((node) => node['Index Name'] === 'outbox_due').length).toBe(6)
          expect(claim.map((node) => node['Node Type'])).not.toContain('Sort')
          const fair: Node[] = []
          for (const nodes of [
            await nodesOfPlan(client, claimFresh, `50, '{a}', 5000, 2000, 8388608`),
            await nodesOfPlan(client, claimOvertaken, `50, '{a}', 1, '-infinity', 0, 10000`),
          ]) {
            // What was found is claimed by its id, and not looked for again among all that is due.
            expect(nodes.map((node) => node['Index Name'])).toContain('outbox_pkey')
            fair.push(...nodes)
          }
          const settle = [
            ...(await nodesOfPlan(client, finish, `${ids}, null`)),
            ...(await nodesOfPlan(client, reschedule, `'{1}', '{2}', '{0}', '{f}', '{null}', '{null}', null`)),
          ]
          expect([...claim, ...fair, ...settle].filter(readsWholeOutbox)).toEqual([])
          await client.query('commit')
        }
      }
    } finally {
      client.release()
    }
  },
)

test('ordered rows are claimed by one index probe a key, with a thousand rows behind each, analyzed or not', async () => {
  const db = await useTestDatabase({ plugins: [] })
  const bus = await createBus({ database: db.url, migrate: true, log: pino({ level: 'silent' }) })
  await bus.stop()
  await db.pool.query(
    `insert into outbus.outbox (priority, app_id, event_id, event, event_version, trigger_id, trigger, depth, root_id, ordering_key)
     select 1, 'a', gen_random_uuid(), '{"text":"x"}', 1, '11111111-1111-1111-1111-111111111111', '{}', 1, gen_random_uuid(), 'k' || n % 100
     from generate_series(1, 100000) as n`,
  )
  const client = await db.pool.connect()
  try {
    for (const analyzed of [false, true]) {
      if (analyzed) await client.query('analyze outbus.outbox')
      for (const generic of ['force_generic_plan', 'force_custom_plan']) {
        await client.query(beginText(undefined, claimSettings(10_000)))
        await client.query(`set local plan_cache_mode = ${generic}`)
        const nodes = await nodesOfPlan(
          client,
          claimOrdered,
          `500, '00000000-0000-0000-0000-000000000000', '', 2000, 8388608`,
        )
        const due = await nodesOfPlan(client, claimOrderedDue, '500, 8388608')
        expect([...nodes, ...due].filter(readsWholeOutbox)).toEqual([])
        expect(due.filter((node) => node['Index Name'] === 'outbox_ordered_of_app')).toHaveLength(3)
        expect(due.filter((node) => node['Index Name'] === 'outbox_ordered')).toHaveLength(2)
        expect(due.map((node) => node['Index Name'])).toContain('outbox_pkey')
        expect(nodes.filter((node) => node['Index Name'] === 'outbox_ordered')).toHaveLength(2)
        expect(nodes.map((node) => node['Index Name'])).toContain('outbox_pkey')
        await client.query('commit')
      }
    }
  } finally {
    client.release()
  }
})

test(
  'requests, singles and parked rows go by index beside a million other rows, analyzed or not',
  { timeout: 60_000 },
  async () => {
    const db = await useTestDatabase({ plugins: [] })
    const bus = await createBus({ database: db.url, migrate: true, log: pino({ level: 'silent' }) })
    await bus.stop()
    await db.pool.query(
      `insert into outbus.outbox (priority, app_id, event_id, event, event_version, trigger_id, trigger, depth, root_id, reply_to, single, paused, alone)
     select 1, 'a', gen_random_uuid(), '{"text":"x"}', 1, gen_random_uuid(), '{}', 1, gen_random_uuid(),
       case when n % 1000 = 0 then 'inbox' end, case when n % 1000 in (1, 2) then 1 else 0 end, n % 1000 = 3, n % 1000 in (2, 4)
     from generate_series(1, $1) as n`,
      [1_000_000],
    )
    const id = `'00000000-0000-0000-0000-000000000000'`
    const client = await db.pool.connect()
    try {
      for (const analyzed of [false, true]) {
        if (analyzed) await client.query('analyze outbus.outbox')
        for (const generic of ['force_generic_plan', 'force_custom_plan']) {
          await client.query(`set plan_cache_mode = ${generic}`)
          const nodes = [
            ...(await nodesOfPlan(client, takeRequests, `${id}, 5000, 64, '-infinity', '-infinity', 'infinity'`)),
            ...(await nodesOfPlan(client, shedRequests, `500, '{}', 500, '-infinity'`)),
            ...(await nodesOfPlan(client, settleRequests, `'{1}', '{00000000-0000-0000-0000-000000000000}', '{"{}"}'`)),
            ...(await nodesOfPlan(client, leaveRequests, `'{00000000-0000-0000-0000-000000000000}'`)),
            ...(await nodesOfPlan(client, findRequest, `'a', ${id}`)),
            ...(await nodesOfPlan(client, singleIsWaiting, '1')),
            ...(await nodesOfPlan(client, aloneIsDue, `'-infinity', 'infinity'`)),
            ...(await nodesOfPlan(client, lockLimitsAlone, `'-infinity', 'infinity'`)),
            ...(await nodesOfPlan(client, takeAlone, `${id}, 2000, '-infinity', 'infinity'`)),
            ...(await nodesOfPlan(client, unpark, '5000')),
            ...(await nodesOfPlan(client, findStarts, [...Array(6).fill(`'-infinity'`), '0'].join())),
          ]
          expect(nodes.filter(readsWholeOutbox)).toEqual([])
          await client.query(beginText(undefined, claimSettings(10_000)))
          for (const taking of [takeRequestsInTurns, takeRequestsInTurnsNear]) {
            const turns = await nodesOfPlan(
              client,
              taking,
              `${id}, 5000, 64, '-infinity', '-infinity', 'infinity', '{a}', '{1}', 20`,
            )
            expect(turns.filter(readsWholeOutbox)).toEqual([])
            const ofApp = turns.filter((node) => node['Index Name']?.endsWith('_of_app'))
            expect(ofApp).toHaveLength(taking === takeRequestsInTurns ? 6 : 2)
            expect(turns.map((node) => node['Node Type'])).not.toContain('Bitmap Heap Scan')
          }
          for (const taking of [lockLimits, takeSingles]) {
            const taken = await nodesOfPlan(client, taking, `${id}, 5000, 64, 1, ${id}, 'infinity'`)
            expect(taken.filter(readsWholeOutbox)).toEqual([])
            expect(taken.filter((node) => node['Index Name'] === 'outbox_single')).toHaveLength(5)
            expect(taken.map((node) => node['Node Type'])).not.toContain('Bitmap Heap Scan')
          }
          const near = `'{a}', '{00000000-0000-0000-0000-000000000000}', '{-Infinity}', '{-Infinity}', 0, '-infinity'`
          for (const nodes of [
            await nodesOfPlan(client, lockLimitsNear, `${id}, 5000, 64, 1, ${id}, ${near}, '-infinity', 'infinity'`),
            await nodesOfPlan(client, takeSinglesNear, `${id}, 5000, 64, 1, ${id}, ${near}, '-infinity', 'infinity'`),
            await nodesOfPlan(client, findSingleStarts, `${near}, 'infinity'`),
            await nodesOfPlan(client, findFirstSingleStarts, `500, 'infinity'`),
          ]) {
            expect(nodes.filter(readsWholeOutbox)).toEqual([])
            expect(nodes.map((node) => node['Node Type'])).not.toContain('Bitmap Heap Scan')
          }
          await client.query('commit')
        }
      }
    } finally {
      await client.query('reset plan_cache_mode')
      client.release()
    }
  },
)

test.for([10, 200_000])(
  'a page of the audit goes by index, and one of a time reads no other days, with %i rows over sixty days',
  async (rows) => {
    const db = await useTestDatabase({ plugins: [] })
    const bus = await createBus({ database: db.url, migrate: true, log: pino({ level: 'silent' }) })
    await bus.stop()
    await db.pool.query(
      `select outbus.add_day('audit', (now() at time zone 'UTC')::date - ago) from generate_series(2, 60) as ago`,
    )
    await db.pool.query(
      `insert into outbus.audit (app_id, action, operation, at)
       select 'a' || n % 3, 'x', 'x', now() - interval '59 days' * n / $1::integer from generate_series(1, $1::integer) as n`,
      [rows],
    )
    const client = await db.pool.connect()
    try {
      for (const analyzed of [false, true]) {
        if (analyzed) await client.query('analyze outbus.audit')
        for (const mode of ['force_generic_plan', 'force_custom_plan']) {
          await client.query(`set plan_cache_mode = ${mode}`)
          const list = (since: string, until: string) =>
            nodesOfPlan(client, listAudit, `'a1', null, null, null, null, false, ${since}, ${until}, null, null, 51`)
          const daysOf = (nodes: readonly Node[]) => new Set(nodes.flatMap((node) => node['Relation Name'] ?? []))
          const day = daysOf(await list(`now() - interval '30 days'`, `now() - interval '29 days'`))
          expect(day.size).toBeLessThanOrEqual(2)
          if (rows === 10) continue
          const page = await list('null', 'null')
          expect(daysOf(page).size).toBeGreaterThan(60)
          expect(page.map((node) => node['Node Type'])).not.toContain('Sort')
          const batch = await nodesOfPlan(client, blankAudit, `'a1', 0, 1000`)
          // The day that has just begun and those to come have few rows or none, so that an index would gain nothing.
          const whole = [...page, ...batch].filter((node) => node['Node Type'] === 'Seq Scan')
          expect(daysOf(whole).size).toBeLessThan(5)
        }
      }
    } finally {
      await client.query('reset plan_cache_mode')
      client.release()
    }
  },
)

test('under a pinned horizon neither a note nor an idle look reads over the notes that there were, analyzed or not (G13)', async () => {
  const db = await useTestDatabase({ plugins: [] })
  const bus = await createBus({ database: db.url, migrate: true, log: pino({ level: 'silent' }) })
  await bus.stop()
  const pinning = await db.pool.connect()
  const client = await db.pool.connect()
  try {
    await pinning.query('begin isolation level repeatable read')
    await pinning.query('select from outbus.outbox')
    // What a lane leaves in a few minutes; not one of its rows can be removed now.
    const batches = 30_000
    await client.query(
      `insert into outbus.claim_notes (lane_id, lowest_id, highest_id, run_lows, run_highs, run_attempts)
       select gen_random_uuid(), n * 500, n * 500 + 499, array[n * 500], array[n * 500 + 499], '{1}' from generate_series(1::bigint, $1) n`,
      [batches],
    )
    await client.query('delete from outbus.claim_notes')
    await client.query(`select setval('outbus.outbox_id_seq', $1)`, [batches * 500])
    const low = batches * 500
    const note = `gen_random_uuid(), '{${low}}', '{${low + 499}}', '{1}', '{${low - 500}}'`
    for (const analyzed of [false, true]) {
      if (analyzed) await client.query('analyze outbus.claim_notes')
      for (const generic of ['force_generic_plan', 'force_custom_plan']) {
        await client.query(`set plan_cache_mode = ${generic}`)
        // A note of the last span reads over those of that span and the one before; all that there were have 600 pages.
        expect(await pagesRead(client, writeNote, `(${note})`)).toBeLessThan(200)
        expect(await pagesRead(client, nextDue, '')).toBeLessThan(50)
      }
    }
  } finally {
    await client.query('reset plan_cache_mode')
    client.release()
    await pinning.query('rollback')
    pinning.release()
  }
})

test(
  'under a pinned horizon what is taken one by one is found and counted without what ran before, analyzed or not (G13)',
  { timeout: 60_000 },
  async () => {
    const db = await useTestDatabase()
    const bus = await createBus({ database: db.url, migrate: true, log: pino({ level: 'silent' }) })
    await bus.stop()
    const pinning = await db.pool.connect()
    const client = await db.pool.connect()
    const triggers = [1, 2, 3].map((n) => `${n}${'0'.repeat(7)}-0000-0000-0000-000000000000`)
    try {
      await pinning.query('begin isolation level repeatable read')
      await pinning.query('select from outbus.outbox')
      await client.query(
        `insert into outbus.trigger_limits (trigger_id, app_id, concurrency, rate_limit) select id, 'a', 5, 1000 from unnest($1::uuid[]) as id`,
        [triggers],
      )
      // What ran within two minutes: waiting, then under a lease, then gone. Not one version can be removed now.
      await client.query(
        `insert into outbus.outbox (priority, app_id, event_id, event, event_version, trigger_id, trigger, depth, root_id, single, due_at)
         select 1, 'a', gen_random_uuid(), '{}', 1, ($1::uuid[])[1 + n % 3], '{}', 1, gen_random_uuid(), 1, now() - n * interval '4 milliseconds'
         from generate_series(1, 30000) as n`,
        [triggers],
      )
      await client.query(
        `update outbus.outbox set lease_token = gen_random_uuid(), due_set_at = due_at, due_at = due_at + interval '5 seconds'`,
      )
      await client.query('delete from outbus.outbox')
      await client.query(
        `insert into outbus.trigger_starts (trigger_id, app_id, started_at, deliveries)
         select ($1::uuid[])[1 + n % 3], 'a', now() - n * interval '4 milliseconds', 1 from generate_series(1, 30000) as n`,
        [triggers],
      )
      const insert = `insert into outbus.outbox (priority, app_id, event_id, event, event_version, trigger_id, trigger, depth, root_id, single)
        select 1, 'a', gen_random_uuid(), '{}', 1, id, '{}', 1, gen_random_uuid(), 1 from unnest($1::uuid[]) as id`
      const no = `'00000000-0000-0000-0000-000000000000'`
      for (const analyzed of [false, true]) {
        if (analyzed) await client.query('analyze outbus.outbox, outbus.trigger_limits, outbus.trigger_starts')
        // Two triggers are named by the marks, and the rows of the third have come since.
        const { rows } = await client.query<{ now: string; last: string }>(
          `select date_part('epoch', clock_timestamp())::text as now, last_value as last from outbus.outbox_id_seq`,
        )
        const { now, last } = rows[0] as { now: string; last: string }
        await client.query(insert, [triggers])
        const [first, second] = triggers
        const named = `'{a,a}', '{${first},${second}}', '{${now},${now}}', '{${now},${now}}', ${last}, ${now}`
        await client.query(beginText(undefined, claimSettings(10_000)))
        expect(await pagesRead(client, findSingleStarts, `(${named}, 'infinity')`)).toBeLessThan(150)
        const take = `(gen_random_uuid(), 5000, 64, 1, ${no}, ${named}, ${now}, 'infinity')`
        expect(await pagesRead(client, lockLimitsNear, take)).toBeLessThan(200)
        expect(await pagesRead(client, takeSinglesNear, take)).toBeLessThan(300)
        await client.query('commit')
        const { rows: taken } = await client.query<{ trigger_id: string; lease_token: string | null }>(
          'select trigger_id, lease_token from outbus.outbox order by trigger_id',
        )
        expect(taken.map(({ trigger_id }) => trigger_id)).toEqual(triggers)
        expect(taken.map(({ lease_token }) => lease_token)).not.toContain(null)
        await client.query('delete from outbus.outbox')
      }
    } finally {
      client.release()
      await pinning.query('rollback')
      pinning.release()
    }
  },
)

async function pagesRead(
  client: pg.ClientBase,
  { text }: { readonly text: string },
  parameters: string,
): Promise<number> {
  await client.query(`prepare planned as ${text.replaceAll('{schema}', 'outbus')}`)
  const { rows } = await client.query<{ 'QUERY PLAN': { Plan: Pages }[] }>(
    `explain (analyze, buffers, format json) execute planned${parameters}`,
  )
  await client.query('deallocate planned')
  const plan = rows[0]?.['QUERY PLAN'][0]?.Plan as Pages
  return plan['Shared Hit Blocks'] + plan['Shared Read Blocks']
}

interface Pages {
  readonly 'Shared Hit Blocks': number
  readonly 'Shared Read Blocks': number
}
