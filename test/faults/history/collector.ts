/** Receives what the processes under test say, stamps it, and answers: only then they go on. */
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import type { WriteStream } from 'node:fs'
import { createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { join } from 'node:path'
import type { HistoryRecord, Noted, Said } from './records.ts'

/** One for each record that was received. */
const ACK = '.'

export class Collector {
  readonly socket: string
  readonly file: string
  #count = 0
  readonly #server: Server
  readonly #stream: WriteStream
  readonly #onRecord: (record: HistoryRecord) => void
  readonly #connected = new Map<string, Promise<unknown>>()
  readonly #sockets = new Set<Socket>()
  readonly #startedAt = performance.now()

  private constructor(directory: string, onRecord: (record: HistoryRecord) => void) {
    this.socket = join(directory, 'collector.sock')
    this.file = join(directory, 'history.jsonl')
    this.#onRecord = onRecord
    this.#stream = createWriteStream(this.file)
    this.#server = createServer((socket) => this.#accept(socket))
  }

  /** Listens in `directory`, and writes the history there. `onRecord` hears each record in the order of the history. */
  static async start(directory: string, onRecord: (record: HistoryRecord) => void): Promise<Collector> {
    const collector = new Collector(directory, onRecord)
    collector.#server.listen(collector.socket)
    await once(collector.#server, 'listening')
    return collector
  }

  get count(): number {
    return this.#count
  }

  /** The time by the collector's clock, in ms. */
  now(): number {
    return performance.now() - this.#startedAt
  }

  note(noted: Noted): void {
    this.#add(noted, '')
  }

  /** Resolves when all that this life has said is in the history: once its process has ended. */
  async heardAll(life: string): Promise<void> {
    await this.#connected.get(life)
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
    this.#stream.end()
    await once(this.#stream, 'close')
  }

  #accept(socket: Socket): void {
    let life = ''
    let rest = ''
    this.#sockets.add(socket)
    const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()))
    void closed.then(() => this.#sockets.delete(socket))
    // The process was killed.
    socket.on('error', () => undefined)
    socket.setEncoding('utf8')
    socket.on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop() as string
      for (const line of lines) {
        const said = JSON.parse(line) as Said
        if (said.kind === 'hello') {
          ;({ life } = said)
          this.#connected.set(life, closed)
        }
        this.#add(said, life)
      }
      if (lines.length > 0 && socket.writable) socket.write(ACK.repeat(lines.length))
    })
  }

  #add(said: Said | Noted, life: string): void {
    const record: HistoryRecord = {
      ...said,
      at: Math.round(this.now() * 1_000) / 1_000,
      life: 'life' in said ? said.life : life,
    }
    this.#count++
    this.#stream.write(`${JSON.stringify(record)}\n`)
    this.#onRecord(record)
  }
}
