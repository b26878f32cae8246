/**
 * Keeps one connection that LISTENs, and reconnects whatever happens. Polling is the guarantee, NOTIFY the hint.
 *
 *   connecting ──LISTEN answered──▶ listening ──error, end, or a check unanswered──▶ waiting ──▶ connecting
 *
 * Why this is not pg-listen: docs/decisions.md.
 */
import type { Logger } from 'pino'
import { BusClient } from './bus-client.ts'
import type { BusClientConfig } from './bus-client.ts'
import { backoffMs, sleep } from '../time/pause.ts'

export interface ListenerOptions {
  readonly channels: readonly string[]
  /** A direct connection: LISTEN does not work behind a transaction-mode pooler. */
  readonly connection: BusClientConfig
  readonly log: Logger
  onNotified(channel: string, payload: string): void
  /** After each connect: notifications during an outage are lost, so look. */
  onListening(): void
}

/** A half-open connection is silent, so it gets a question now and then. */
const CHECK_EVERY_MS = 10_000
const CHECK_TIMEOUT_MS = 5_000

export class Listener {
  readonly #options: ListenerOptions
  readonly #stop = new AbortController()
  #listening = false
  #running: Promise<void> | undefined

  constructor(options: ListenerOptions) {
    this.#options = options
  }

  get listening(): boolean {
    return this.#listening
  }

  start(): void {
    this.#running = this.#run()
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    for (let failures = 0; !signal.aborted; failures++) {
      try {
        await this.#session(() => (failures = 0))
      } catch (error) {
        // Expected when Postgres restarts; the dispatcher polls meanwhile.
        this.#options.log.debug({ err: error }, 'the listener lost its connection')
      }
      this.#listening = false
      await sleep(backoffMs(failures), signal)
    }
  }

  async #session(onConnected: () => void): Promise<void> {
    const { connection, channels, onNotified, onListening } = this.#options
    const { signal } = this.#stop
    const client = new BusClient({ ...connection, keepAlive: true, answerWithinMs: CHECK_TIMEOUT_MS })
    const lost = new AbortController()
    client.on('error', (error) => lost.abort(error))
    client.on('end', () => lost.abort(new Error('the connection ended')))
    client.on('notification', ({ channel, payload = '' }) => onNotified(channel, payload))
    try {
      await client.connect()
      for (const channel of channels) await client.query(`listen ${client.escapeIdentifier(channel)}`)
      this.#listening = true
      onConnected()
      onListening()
      const over = AbortSignal.any([signal, lost.signal])
      while (!over.aborted) {
        await sleep(CHECK_EVERY_MS, over)
        if (!over.aborted) await client.query('select 1')
      }
    } finally {
      // Not awaited: a half-open connection never answers.
      void client.end().catch(() => undefined)
    }
  }
}
