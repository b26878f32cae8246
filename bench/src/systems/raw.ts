/** The fewest statements that could do the same work on Outbus' own table, through `pg`. */
import type pg from 'pg'
import type { Channel, Handlers, Session, System } from '../contract.ts'
import { NOTE } from '../payloads.ts'
import { openConnections } from './connections.ts'
import { OUTBOX, outbus } from './outbus.ts'
import type { Sample } from './raw-sql.ts'
import { connect, insertMany, insertOne, insertOneAndNotify, readSamples, takeSamples } from './raw-sql.ts'

const BATCH = 500
const LOOPS = 2
/** As many connections as the pool of a bus has. */
const POOL = 10
const WAKE_UP = 'bench_raw'

const CLAIM = {
  name: 'claim',
  text: `delete from outbus.outbox where id = any (array(
    select id from outbus.outbox
    where not alone and reply_to is null and ordering_key is null and single = 0 and not paused
      and priority = 1 and due_at <= now()
    order by due_at, id limit ${BATCH} for update skip locked
  )) returning id, event::text`,
}

export const raw: System = {
  name: 'raw',
  builtOn: 'outbus',
  table: OUTBOX,
  runsWhatIsEmitted: false,

  async install(url) {
    const session = await outbus.open(url, { load: 'emits', callers: 1 })
    await session.emit(NOTE, 'main')
    await session.emit(NOTE, 'other')
    await session.stop()
    await takeSamples(url)
  },

  ways(callers) {
    if (callers <= 16) return [{ connections: callers, pipeline: false }]
    return [
      { connections: POOL, pipeline: false },
      { connections: POOL, pipeline: true },
      { connections: 64, pipeline: false },
    ]
  },

  async open(url, { load, callers, way = { connections: Math.min(callers, POOL), pipeline: false } }) {
    const samples: Record<Channel, readonly Sample[]> = {
      main: await readSamples(url, 'main'),
      other: await readSamples(url, 'other'),
    }
    const emits = await openConnections(url, way)
    const dispatchers: pg.Client[] = []
    const loops: Promise<void>[] = []
    let handlers: Handlers = {}
    const drainAgain = () => {
      loops.length = 0
      for (const client of dispatchers) loops.push(drainLoop(client, handlers))
    }
    const session: Session = {
      emit(payload, channel = 'main') {
        const [sample] = samples[channel] as [Sample]
        return emits.query(
          load === 'latency' ? insertOneAndNotify(sample, payload, WAKE_UP) : insertOne(sample, payload),
        )
      },
      emitMany: (payloads) => emits.query(insertMany(samples.main, payloads)),
      async dispatch(given) {
        handlers = given
        // What is only emitted stays where it is.
        if (load === 'emits') return
        for (let i = 0; i < (load === 'backlog' ? LOOPS : 1); i++)
          dispatchers.push(await connect(url, { pipeline: load === 'backlog' }))
        if (load === 'backlog') drainAgain()
        else for (const client of dispatchers) await listen(client, handlers)
      },
      ...(load === 'backlog' ? { resume: drainAgain } : {}),
      async stop() {
        await Promise.all(loops)
        await emits.end()
        await Promise.all(dispatchers.map((client) => client.end()))
      },
    }
    return session
  },
}

function handle(count: number, onStart: () => void): void {
  for (let i = 0; i < count; i++) onStart()
}

async function drainLoop(client: pg.Client, { main = () => {} }: Handlers): Promise<void> {
  for (let count = 1; count > 0;) {
    void client.query('begin')
    const { rows } = await client.query(CLAIM)
    count = rows.length
    handle(count, main)
    await client.query('commit')
  }
}

async function listen(client: pg.Client, { main = () => {} }: Handlers): Promise<void> {
  client.on('notification', () => {
    void client.query(CLAIM).then(({ rows }) => handle(rows.length, main))
  })
  await client.query(`listen ${WAKE_UP}`)
}
