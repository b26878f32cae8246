/**
 * A connection that the bus opens for itself. What the application has set for connections in general (`pg.defaults`, options of
 * a pool or in a URL) is for the application's own statements, and not for the bus's (G21).
 */
import pg from 'pg'
import { OWN_TYPES } from './types.ts'

/** Members of `pg.Client` that its types leave out. */
interface Settable {
  binary: boolean
  readonly connectionParameters: { query_timeout: number | false }
}

export class BusClient extends pg.Client {
  /** Of `config`, `query_timeout` counts where it is given here. Default none, whatever `pg.defaults` or a URL says. */
  constructor(config: pg.ClientConfig) {
    // A pool hides the password from whoever copies its options.
    const { password } = config
    super({ ...config, ...(password === undefined ? {} : { password }), types: OWN_TYPES })
    const own = this as unknown as Settable
    own.binary = false
    own.connectionParameters.query_timeout = config.query_timeout ?? 0
  }
}

/** A pool of such connections. */
export function busPool(config: pg.PoolConfig): pg.Pool {
  return new pg.Pool({ ...config, Client: BusClient as unknown as new () => pg.ClientBase })
}
