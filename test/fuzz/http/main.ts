/**
 * `npm run fuzz:http -- --seconds 60 --seed 1` (or `--minutes`): odd requests to a service, whose other app must not notice. It fails on a crash, on a
 * 5xx that is not documented, on a header of a response that its client steered, on bytes between responses, and where the 99th
 * percentile of the other app is beyond five times what it is while nobody fuzzes.
 */
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { connect } from 'node:net'
import { createTestDatabase, startPostgres } from '@outbus/test-kit'
import { parseFlags, readSeconds, readWhole, runCommand } from '@outbus/test-kit/flags'
import { seeded, seedOf } from '../../faults/random.ts'
import { noticed, textOf, together } from '../second-app.ts'
import type { Measured } from '../second-app.ts'
import { judge } from './answers.ts'
import { fuzzedRequest } from './requests.ts'
import type { FuzzedRequest } from './requests.ts'
import type { FromService, ToService } from './service.ts'

/** Clients at once. */
const CLIENTS = 4
/** Under this a percentile is what the machine does, not what the service does. */
const FLOOR_MS = 100
const WARM_UP_MS = 3_000
/** Nobody fuzzes and somebody does, in turns: so both are measured on a machine that is as busy with other things. */
const IDLE_MS = 2_000
const FUZZED_MS = 8_000
/** A server closes a connection long before that. */
const NO_ANSWER_MS = 15_000
const MOST_SHOWN = 20

interface Problem {
  readonly what: string
  readonly kinds: readonly string[]
  readonly number: number
}

async function main(): Promise<number> {
  const values = parseFlags(
    { seconds: { type: 'string' }, minutes: { type: 'string' }, seed: { type: 'string' } },
    '--seconds N or --minutes N, --seed N',
  )
  const seconds = readSeconds(values)
  const seed = readWhole('--seed', values.seed) ?? Math.floor(Math.random() * 2 ** 31)
  print(`seed ${seed}`)
  await using postgres = await startPostgres()
  const database = await createTestDatabase(postgres.url)
  const service = await Service.start(database.url)
  const run = new Run(seed, service)
  const idle: Measured[] = []
  const busy: Measured[] = []
  await run.during(WARM_UP_MS)
  await service.measured()
  for (let left = seconds * 1_000; left > 0 && service.isThere; left -= FUZZED_MS) {
    await pause(IDLE_MS)
    idle.push(await service.measured())
    await run.during(Math.min(left, FUZZED_MS))
    busy.push(await service.measured())
  }
  const last = await service.leave()
  const problems = [...run.problems, ...service.problems.map(own), ...last.map(own)]
  const [alone, beside] = [together(idle), together(busy)]
  print(textOf('idle', alone))
  print(textOf('with the fuzz', beside))
  problems.push(...noticed(alone, beside, FLOOR_MS).map(own))
  report(run, problems)
  return problems.length === 0 ? 0 : 1
}

function own(what: string): Problem {
  return { what, kinds: [], number: -1 }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** The service's process. */
class Service {
  readonly problems: string[] = []
  readonly #child: ChildProcess
  readonly port: number

  private constructor(child: ChildProcess, port: number) {
    this.#child = child
    this.port = port
    child.on('message', (message: FromService) => {
      if (message.kind === 'problem') this.problems.push(message.problem)
    })
    child.on('exit', (code, signal) => {
      if (code !== 0) this.problems.push(`the service ended: ${signal ?? code}`)
    })
  }

  static async start(url: string): Promise<Service> {
    const execArgv = ['--conditions=outbus-source']
    const child = fork(new URL('service.ts', import.meta.url), [url], {
      execArgv,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    const listening = await this.#next(child, 'listening')
    if (listening === undefined) throw new Error('the service did not start')
    return new Service(child, listening.port)
  }

  get isThere(): boolean {
    return this.#child.connected
  }

  /** How the other app did since it was asked last. */
  async measured(): Promise<Measured> {
    return (await this.#ask('measure', 'measured'))?.measured ?? together([])
  }

  /** What was wrong at the end. */
  async leave(): Promise<readonly string[]> {
    return (await this.#ask('leave', 'left'))?.problems ?? ['the service did not end as it should']
  }

  async #ask<Kind extends FromService['kind']>(asked: ToService, kind: Kind) {
    if (!this.isThere) return undefined
    const answer = Service.#next(this.#child, kind)
    this.#child.send(asked)
    return answer
  }

  /** Undefined where it ends before it says so. */
  static #next<Kind extends FromService['kind']>(child: ChildProcess, kind: Kind) {
    return new Promise<Extract<FromService, { kind: Kind }> | undefined>((resolve) => {
      const ended = () => resolve(undefined)
      const heard = (message: FromService) => {
        if (message.kind !== kind) return
        child.off('message', heard)
        child.off('exit', ended)
        resolve(message as Extract<FromService, { kind: Kind }>)
      }
      child.on('message', heard)
      child.once('exit', ended)
    })
  }
}

class Run {
  readonly problems: Problem[] = []
  readonly statuses = new Map<number, number>()
  sent = 0
  readonly #seed: number
  readonly #service: Service

  constructor(seed: number, service: Service) {
    this.#seed = seed
    this.#service = service
  }

  async during(ms: number): Promise<void> {
    const until = performance.now() + ms
    await Promise.all(Array.from({ length: CLIENTS }, () => this.#client(until)))
  }

  async #client(until: number): Promise<void> {
    while (performance.now() < until && this.#service.isThere) {
      // Each request has a seed of its own, so that one that failed can be made again by its number.
      const number = this.sent++
      const request = fuzzedRequest(seeded(seedOf(this.#seed, String(number))))
      const answer = await exchange(this.#service.port, request)
      if (answer === undefined) this.#found('no answer, and a connection that stays open', request, number)
      else {
        const { statuses, problems } = judge(answer, request)
        for (const status of statuses) this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1)
        for (const problem of problems) this.#found(problem, request, number)
      }
    }
  }

  #found(what: string, { kinds }: FuzzedRequest, number: number): void {
    this.problems.push({ what, kinds, number })
  }
}

/** All that the server answers until it closes the connection; undefined where it does not. */
async function exchange(port: number, { writes, ends }: FuzzedRequest): Promise<Buffer | undefined> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  // A server may close a connection whose bytes it does not want while some are under way.
  socket.on('error', () => undefined)
  socket.on('end', () => socket.destroy())
  let answered = true
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  for (const bytes of writes) {
    socket.write(bytes)
    if (writes.length > 1) await pause(1)
  }
  if (ends === 'goes') {
    socket.destroySoon()
    return Buffer.alloc(0)
  }
  if (ends === 'half-closes') socket.end()
  const timer = setTimeout(() => {
    answered = false
    socket.destroy()
  }, NO_ANSWER_MS)
  await closed
  clearTimeout(timer)
  return answered ? Buffer.concat(chunks) : undefined
}

function report({ sent, statuses }: Run, problems: readonly Problem[]): void {
  const counts = [...statuses].toSorted(([a], [b]) => a - b).map(([status, count]) => `${status}: ${count}`)
  print(`${sent} requests; answers ${counts.join(', ')}`)
  for (const { what, kinds, number } of problems.slice(0, MOST_SHOWN))
    print(`FOUND ${what}${number < 0 ? '' : ` (request ${number}: ${kinds.join(', ')})`}`)
  if (problems.length > MOST_SHOWN) print(`and ${problems.length - MOST_SHOWN} more`)
  print(problems.length === 0 ? 'nothing found' : `${problems.length} found`)
}

await runCommand('fuzz:http', main)
