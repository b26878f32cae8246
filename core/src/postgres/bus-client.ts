/**
 * A connection that the bus opens for itself. What the application has set for connections in general (`pg.defaults`, options of
 * a pool or in a URL) is for the application's own statements, and not for the bus's (G21). Nor is what `alter database` says.
 */
import pg from 'pg'
import { isSetUp, SET_UP_SESSION } from './session.ts'
import { OWN_TYPES } from './types.ts'

export interface BusClientConfig extends pg.ClientConfig {
  /**
   * False behind a transaction-mode pooler: the session is somebody else's in the next moment, so that it is not set up, and
   * statements go in one write with the transaction that has their settings.
   */
  readonly ownSession: boolean
  /** How long `pg` itself waits for an answer, in ms. Default without limit, whatever `pg.defaults`, a URL or a pool says. */
  readonly answerWithinMs?: number
}

const SET_UP_WITHIN_MS = 10_000

/** Members of `pg.Client` that its types leave out. */
interface Settable {
  binary: boolean
  readonly connectionParameters: { query_timeout: number | false }
  readonly connection: { readonly stream: { destroy(): void } }
}

type Connected = ((error: Error) => void) | ((error: null, client: pg.Client) => void)

export class BusClient extends pg.Client {
  readonly ownSession: boolean
  readonly #setUpWithinMs: number

  constructor(config: BusClientConfig) {
    // A pool hides the password from whoever copies its options.
    const { password, ownSession, answerWithinMs = 0 } = config
    super({
      ...config,
      ...(password === undefined ? {} : { password }),
      ...(ownSession ? {} : { pipeline: true }),
      types: OWN_TYPES,
    })
    this.ownSession = ownSession
    this.#setUpWithinMs = answerWithinMs || SET_UP_WITHIN_MS
    // While it is set up nobody else listens, and an error that nobody hears ends the process (G16). The next query reports it.
    this.on('error', () => undefined)
    const own = this as unknown as Settable
    own.binary = false
    own.connectionParameters.query_timeout = answerWithinMs
  }

  override connect(): Promise<pg.Client>
  override connect(callback: Connected): void
  override connect(callback?: Connected): Promise<pg.Client> | void {
    const connected = this.#connect()
    if (callback === undefined) return connected
    const tell = callback as (error: Error | null, client?: pg.Client) => void
    connected.then(
      () => tell(null, this),
      (error: Error) => tell(error),
    )
  }

  async #connect(): Promise<pg.Client> {
    await super.connect()
    if (!this.ownSession) return this
    try {
      // Before anybody's own limits hold: a server that falls silent now would be waited for without end.
      await this.query({ text: SET_UP_SESSION, query_timeout: this.#setUpWithinMs } as pg.QueryConfig)
    } catch (error) {
      // Whoever asked for it does not get it, and would not end it.
      ;(this as unknown as Settable).connection.stream.destroy()
      throw error
    }
    isSetUp(this)
    return this
  }
}

/** A pool of such connections. */
export function busPool(config: pg.PoolConfig & BusClientConfig): pg.Pool {
  return new pg.Pool({ ...config, Client: BusClient as unknown as new () => pg.ClientBase })
}
