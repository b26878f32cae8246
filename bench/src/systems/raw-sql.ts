/** Statements on Outbus' own tables, with the columns that its emit fills, and rows of its own to take the constants from. */
import { randomUUID } from 'node:crypto'
import { openClient } from '@outbus/test-kit/connections'
import type pg from 'pg'
import type { Payload } from '../contract.ts'

/** The columns as texts, since they only go back. */
export interface Sample {
  readonly priority: string
  readonly app_id: string
  readonly event_version: string
  readonly trigger_id: string
  readonly trigger: string
  readonly depth: string
  readonly single: string
}

const COLUMNS = `priority, due_at, app_id, event_id, event, event_version, trigger_id, trigger, depth, root_id, chain,
  ordering_key, trace_context, reply_to, reply_by, single, dedupe_key`
/** What an emit without options has nothing for is sent all the same, as Outbus sends it. */
const ABSENT = [null, null, null, null, null, null]
const ABSENT_TYPES = ['json', 'text', 'text', 'text', 'timestamptz', 'text']

function absent(from: number): string[] {
  return ABSENT_TYPES.map((type, i) => `$${from + i}::${type}`)
}

function insertion(from: string, values: { eventId: string; event: string; trigger: string; triggerId: string }) {
  const [chain, orderingKey, traceContext, replyTo, replyBy, dedupeKey] = absent(6)
  return `insert into outbus.outbox (${COLUMNS})
    select $1::smallint, clock_timestamp(), $2::text, ${values.eventId}, ${values.event}, $3::integer, ${values.triggerId},
      ${values.trigger}, $4::smallint, ${values.eventId}, ${chain}, ${orderingKey}, ${traceContext}, ${replyTo}, ${replyBy},
      $5::smallint, ${dedupeKey}${from}`
}

const ONE = insertion('', {
  eventId: '$12::uuid',
  event: '$13::json',
  triggerId: '$14::uuid',
  trigger: '$15::json',
})
const MANY = insertion(
  ' from unnest($12::uuid[], $13::text[]) as e (id, event) cross join unnest($14::uuid[], $15::text[]) as t (id, snapshot)',
  { eventId: 'e.id', event: 'e.event::json', triggerId: 't.id', trigger: 't.snapshot::json' },
)

function constants({ priority, app_id, event_version, depth, single }: Sample): unknown[] {
  return [priority, app_id, event_version, depth, single, ...ABSENT]
}

/** One row. */
export function insertOne(sample: Sample, payload: Payload): pg.QueryConfig {
  const values = [randomUUID(), JSON.stringify(payload.data), sample.trigger_id, sample.trigger]
  return { name: 'insert_one', text: ONE, values: [...constants(sample), ...values] }
}

/** The same, and whoever listens is told. */
export function insertOneAndNotify(sample: Sample, payload: Payload, channel: string): pg.QueryConfig {
  const { values = [] } = insertOne(sample, payload)
  return {
    name: 'insert_one_and_notify',
    text: `with written as (${ONE} returning id) select pg_notify($16, '') from written`,
    values: [...values, channel],
  }
}

/** A row for every event and every trigger, each of which is sent once. */
export function insertMany(samples: readonly Sample[], payloads: readonly Payload[]): pg.QueryConfig {
  const [sample] = samples
  if (sample === undefined) throw new Error('there is no row to take the constants from')
  return {
    name: 'insert_many',
    text: MANY,
    values: [
      ...constants(sample),
      payloads.map(() => randomUUID()),
      payloads.map(({ data }) => JSON.stringify(data)),
      samples.map(({ trigger_id }) => trigger_id),
      samples.map(({ trigger }) => trigger),
    ],
  }
}

/** An upsert of a kv entry and the row of its event, whose version the upsert has drawn. */
export function setEntry(sample: Sample, entry: { collection: string; key: string; value: string }): pg.QueryConfig {
  const { collection, key, value } = entry
  const head = JSON.stringify({ op: 'set', collection, key }).slice(0, -1)
  return {
    name: 'set_entry',
    text: `with entry as (
      insert into outbus.kv_entries (app_id, collection, key, value, version)
      values ($2, $16, $17, $18::json, nextval('outbus.kv_version_sequence'))
      on conflict (app_id, collection, key) do update set value = excluded.value,
        version = nextval('outbus.kv_version_sequence'), updated_at = clock_timestamp()
      returning version
    ) ${insertion(' from entry', {
      eventId: '$12::uuid',
      event: `($13::text || ',"value":' || $18::text || ',"version":' || entry.version || '}')::json`,
      triggerId: '$14::uuid',
      trigger: '$15::json',
    })}`,
    values: [...constants(sample), randomUUID(), head, sample.trigger_id, sample.trigger, collection, key, value],
  }
}

/** Moves what Outbus has emitted to where it does nobody any harm. */
export async function takeSamples(url: string): Promise<void> {
  const client = await connect(url)
  await client.query('create table if not exists bench_samples (like outbus.outbox)')
  await client.query(
    'with moved as (delete from outbus.outbox returning *) insert into bench_samples select * from moved',
  )
  await client.end()
}

/** One for each trigger of the app. */
export async function readSamples(url: string, app: string): Promise<Sample[]> {
  const client = await connect(url)
  const { rows } = await client.query<Sample>(
    `select priority::text, app_id, event_version::text, trigger_id::text, trigger::text, depth::text, single::text
    from bench_samples where app_id = $1 order by id`,
    [app],
  )
  await client.end()
  return rows
}

export async function connect(url: string, { pipeline = false } = {}): Promise<pg.Client> {
  return openClient({ connectionString: url, pipeline })
}
