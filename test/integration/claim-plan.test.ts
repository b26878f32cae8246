/** The plans of what runs on the hot path: by index, with ten rows and with very many, fresh statistics or none. */
import { createBus } from '@outbus/core'
import { useTestDatabase } from '@outbus/test-kit/vitest'
import pino from 'pino'
import { expect, test } from 'vitest'
import { beginClaim } from '../../core/src/sql/begin-claim.ts'
import { claimBatch } from '../../core/src/sql/claim-batch.ts'
import { finish } from '../../core/src/sql/finish.ts'
import { reschedule } from '../../core/src/sql/reschedule.ts'

interface Node {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly 'Index Name'?: string
  readonly Plans?: readonly Node[]
}

function nodesOf(node: Node): Node[] {
  return [node, ...(node.Plans ?? []).flatMap(nodesOf)]
}

test.for([10, 1_000_000])(
  'claim and settle go by index with %i rows, analyzed or not (G6)',
  { timeout: 60_000 },
  async (rows) => {
    const db = await useTestDatabase()
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
          await client.query(beginClaim(10_000))
          await client.query(`set local plan_cache_mode = ${generic}`)
          const ids = `'{${Array.from({ length: 500 }, (_, i) => i + 1).join(',')}}'`
          const of = async (name: string, text: string, parameters: string) => {
            await client.query(`prepare ${name} as ${text.replaceAll('{schema}', 'outbus')}`)
            const { rows: plans } = await client.query<{ 'QUERY PLAN': { Plan: Node }[] }>(
              `explain (format json) execute ${name}(${parameters})`,
            )
            await client.query(`deallocate ${name}`)
            return nodesOf(plans[0]?.['QUERY PLAN'][0]?.Plan as Node)
          }
          const claim = await of('claim', claimBatch.text, `500, '-infinity', '-infinity', '-infinity', 8388608`)
          expect(claim.filter((node) => node['Index Name'] === 'outbox_due').length).toBe(3)
          expect(claim.map((node) => node['Node Type'])).not.toContain('Sort')
          const settle = [
            ...(await of('finish', finish.text, `${ids}, null`)),
            ...(await of('reschedule', reschedule.text, `'{1}', '{2}', '{0}', '{f}', '{null}', '{null}', null`)),
          ]
          expect(
            [...claim, ...settle].filter(
              (node) => node['Node Type'] === 'Seq Scan' && node['Relation Name'] === 'outbox',
            ),
          ).toEqual([])
          await client.query('commit')
        }
      }
    } finally {
      client.release()
    }
  },
)
