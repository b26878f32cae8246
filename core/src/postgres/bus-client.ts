/**
 * A connection that the bus opens. The application's settings (`pg.defaults`, pool options, a URL, `alter database`)
 * are not for the bus's statements (G21).
 */
import pg from 'pg'
import { markSetUp, SET_UP_SESSION } from './session.ts'
import { OWN_TYPES } from './types.ts'

export interface BusClientConfig extends pg.ClientConfig {
  /**
   * False behind a transaction-mode pooler. The session is then not set up, and each transaction brings its settings in
   * one write.
   */
  readonly ownSession: boolean
  /** How long `pg` waits for an answer, in ms. Default without limit, whatever `pg.defaults`, a URL or a pool says. */
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
    // A pool hides the password from copies of its options.
    const { password, ownSession, answerWithinMs = 0 } = config
    super({
      ...config,
      ...(password === undefined ? {} : { password }),
      ...(ownSession ? {} : { pipeline: true }),
      types: OWN_TYPES,
    })
    this.ownSession = ownSession
    this.#setUpWithinMs = answerWithinMs || SET_UP_WITHIN_MS
    // Nobody else listens during the set-up, and an unheard error ends the process (G16). The next query reports the
    // error.
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
      // The caller's limits do not hold yet, so a silent server needs this one.
      await this.query({ text: SET_UP_SESSION, query_timeout: this.#setUpWithinMs } as pg.QueryConfig)
    } catch (error) {
      // The caller does not get the client, and could not end it.
      ;(this as unknown as Settable).connection.stream.destroy()
      throw error
    }
    markSetUp(this)
    return this
  }
}

/** A pool of such connections. */
export function busPool(config: pg.PoolConfig & BusClientConfig): pg.Pool {
  return new pg.Pool({ ...config, Client: BusClient as unknown as new () => pg.ClientBase })
}
