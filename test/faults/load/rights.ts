/** Sees what Postgres refuses the bus of this process for want of rights, whoever hears of the error and tries again. */
import type { EventEmitter } from 'node:events'
import pg from 'pg'
import type { Reporter } from '../history/reporter.ts'

const INSUFFICIENT_PRIVILEGE = '42501'

interface Connecting {
  readonly connection: EventEmitter
  connect(...parameters: unknown[]): unknown
}

/** Before the first connection of this process is made. Each is said once, by its words. */
export function reportForbidden(reporter: Reporter): void {
  const told = new Set<string>()
  const prototype = pg.Client.prototype as unknown as Connecting
  const { connect } = prototype
  prototype.connect = function watched(...parameters) {
    this.connection.on('errorMessage', ({ code, message }: pg.DatabaseError) => {
      if (code !== INSUFFICIENT_PRIVILEGE || told.has(message)) return
      told.add(message)
      void reporter.say({ kind: 'forbidden', text: message })
    })
    return connect.apply(this, parameters)
  }
}
