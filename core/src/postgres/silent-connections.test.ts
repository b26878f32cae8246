import { EventEmitter } from 'node:events'
import type pg from 'pg'
import { expect, test } from 'vitest'
import { endSilent } from './silent-connections.ts'

/** A pool with one connection; `silence` is the socket's timeout. */
function pool() {
  const destroyed: Error[] = []
  let silence = () => {}
  const stream = {
    setTimeout: (_ms: number, onTimeout: () => void) => void (silence = onTimeout),
    destroy: (error: Error) => void destroyed.push(error),
  }
  const events = new EventEmitter()
  const client = { connection: { stream } }
  endSilent(events as unknown as pg.Pool, 100)
  events.emit('connect', client)
  return { events, client, destroyed, silence: () => silence() }
}

test('a connection that nobody uses may be silent', () => {
  const { events, client, destroyed, silence } = pool()
  silence()
  events.emit('acquire', client)
  events.emit('release', undefined, client)
  silence()
  expect(destroyed).toEqual([])
})

test('one that somebody uses is ended', () => {
  const { events, client, destroyed, silence } = pool()
  events.emit('acquire', client)
  silence()
  expect(destroyed).toMatchObject([{ message: 'Postgres has answered nothing for 100 ms' }])
})
