import { existsSync } from 'node:fs'
import { useTestClient } from '@outbus/test-kit/vitest'
import { expect, inject, test } from 'vitest'
import { libfaketime } from './faketime.ts'
import { startFaultServer } from './server.ts'

const kind = inject('postgresKind')
const isOurs = kind === 'embedded' || kind === 'system'

test.runIf(isOurs)(
  'a server that is stopped or killed, or loses a backend, comes back with what was committed',
  async () => {
    await using server = await startFaultServer({ kind: kind as 'embedded' | 'system' })
    await (await useTestClient(server.url)).query('create table kept as select 0 as n')
    const ways = [() => server.stop('immediate'), () => server.stop('fast'), () => server.killPostmaster()]
    for (const [n, end] of ways.entries()) {
      const connection = await useTestClient(server.url)
      await connection.query('update kept set n = $1', [n])
      // A backend hears a moment later that its postmaster was killed.
      const ended = new Promise((resolve) => connection.once('end', resolve))
      await end()
      await ended
      await expect(connection.query('select')).rejects.toThrow(/terminat|not queryable|ECONNRESET/)
      await server.start()
      expect((await (await useTestClient(server.url)).query('select n from kept')).rows).toEqual([{ n }])
    }
    const victim = await useTestClient(server.url)
    const other = await useTestClient(server.url)
    const { rows } = await victim.query<{ pid: number }>('select pg_backend_pid() as pid')
    const slept = other.query('select pg_sleep(60)')
    server.killBackend(rows[0]?.pid ?? 0)
    await expect(slept).rejects.toThrow(/terminat|ECONNRESET/)
    // It is up all the same.
    await server.start()
    const { dataDirectory } = server
    await server.close()
    expect(existsSync(dataDirectory)).toBe(false)
  },
)

test.runIf(isOurs && libfaketime() !== undefined)(
  'a server that comes back with a clock that is behind, or right again, ends what waits too long',
  async () => {
    await using server = await startFaultServer({ kind: kind as 'embedded' | 'system' })
    for (const hours of [0, -1, 0]) {
      await server.stop('fast')
      await server.start(hours)
      const client = await useTestClient(server.url)
      const { rows } = await client.query(
        'select round(extract(epoch from clock_timestamp() - $1::timestamptz) / 3600)::integer as off',
        [new Date()],
      )
      expect(rows).toEqual([{ off: hours }])
      await client.query(`set statement_timeout = '100ms'`)
      await expect(client.query('select pg_sleep(60)')).rejects.toThrow('statement timeout')
    }
  },
)
