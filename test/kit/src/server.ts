import { execFile, execFileSync, spawn } from 'node:child_process'
import type { ChildProcess, ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'
import { chown, mkdir, mkdtemp, rm, statfs, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { promisify } from 'node:util'

/**
 * The keeper: makes the cluster, runs the server whenever a line on its standard input asks for it, and waits for the
 * end of that input. The other end of the pipe is held by our process alone, so the kernel closes it however our
 * process ends, by SIGKILL too; then the keeper ends the server at once (SIGQUIT: nothing is kept, so nothing need be
 * flushed) and removes the folder. It is in a session of its own: a Ctrl-C in the terminal is for the program, which
 * still needs its database to stop gracefully.
 */
const KEEPER = `
bin=$1; dir=$2; shift 2
run() {
  trap 'exit 1' TERM QUIT
  { test -f "$dir/data/PG_VERSION" ||
    "$bin/initdb" --pgdata="$dir/data" --username=postgres --auth=password --pwfile="$dir/password" \\
      --encoding=UTF8 --no-locale --no-sync >&2; } &&
  env $variables "$bin/postgres" -D "$dir/data" "$@" >&2
  echo "outbus-keeper: the server has ended" >&2
}
while read -r start variables; do run "$@" </dev/null & done
exec >/dev/null 2>&1
trap '' TERM QUIT
kill -TERM 0
kill -QUIT 0
wait
rm -rf "$dir"
`
/** As root: a tmpfs that only the keeper and the server see, who run as they do without it. */
const WITH_SMALL_DISK = `
size=$1 uid=$2 gid=$3 dir=$7; shift 3
mount -t tmpfs -o "size=$size,mode=700,uid=$uid,gid=$gid" outbus-small-disk "$dir/disk" &&
setpriv --reuid="$uid" --regid="$gid" --clear-groups /bin/sh -c "$@"
umount --lazy "$dir/disk"
rm -rf "$dir"
`
/** Of a standby it says `read-only connections`. */
const READY = 'database system is ready to accept'
const ENDED = 'outbus-keeper: the server has ended'
const START_TIMEOUT_MS = 60_000
const LOG_CHARACTERS_KEPT = 4_000
const PORT_ATTEMPTS = 3
const MEMORY_FOLDER = '/dev/shm'
/** What `statfs` says of a tmpfs. */
const TMPFS = 0x01021994
/** Databases at a time, and `max_wal_size` of each of two or three servers. A container has 64 MB by default. */
const MEMORY_BYTES_NEEDED = 6 * 1024 ** 3

export interface ServerOptions {
  readonly settings: Readonly<Record<string, string | number>>
  /** The data is in memory, where the system has a tmpfs with room for it. Default false: in the folder for temporary files. */
  readonly inMemory?: boolean
  /** A tmpfs of so many bytes for the server, see `smallDiskUnavailable`. Default none. */
  readonly smallDiskBytes?: number
  /** The URL of a running server of the same version, as superuser: an asynchronous standby of it. Default none. */
  readonly standbyOf?: string
  /** Gets what the server says, as it says it. Default: nobody, but for the end of it in an error. */
  readonly onLog?: (text: string) => void
}

export interface RunningServer {
  /** As superuser, database `postgres`. The same after each `start`. */
  readonly url: string
  readonly dataDirectory: string
  /** Where the server sees its small disk, and where the processes outside of its mount namespace do (as root). */
  readonly smallDisk: { readonly path: string; readonly outside: string } | undefined
  /** From when it is ready until the postmaster has ended. */
  readonly running: boolean
  /**
   * Starts the server again after it has ended; rejects when it does not come up. Its processes have these variables
   * besides (default none), such as those of libfaketime; no value may contain a space.
   */
  start(env?: Readonly<Record<string, string>>): Promise<void>
  /** Resolves when the postmaster of the last `start` has ended, by whatever. */
  ended(): Promise<void>
  /** Stops the server and removes its data. */
  stop(): Promise<void>
}

/** Runs a throw-away server from a `bin` folder on a free port of 127.0.0.1. */
export async function startServer(bin: string, options: ServerOptions): Promise<RunningServer> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnFreePort(bin, options)
    } catch (error) {
      // A port is free when asked for, and may be somebody else's when Postgres binds it.
      if (attempt === PORT_ATTEMPTS || !String(error).includes('could not bind')) throw error
    }
  }
}

/** Why a server cannot have a small disk on this machine, or undefined: it takes root and the right to mount. */
export function smallDiskUnavailable(): string | undefined {
  if (process.getuid?.() !== 0) return 'a tmpfs can be mounted by root only'
  try {
    execFileSync('unshare', ['--mount', 'sh', '-c', 'mount -t tmpfs none /mnt && command -v setpriv'], {
      stdio: 'pipe',
    })
    return undefined
  } catch (error) {
    return `no tmpfs can be mounted here: ${error instanceof Error ? error.message : String(error)}`
  }
}

async function startOnFreePort(bin: string, options: ServerOptions): Promise<RunningServer> {
  const user = unprivilegedUser()
  const port = await freePort()
  const password = randomBytes(12).toString('hex')
  const directory = await mkdtemp(join(options.inMemory === true ? await memoryFolder() : tmpdir(), 'outbus-postgres-'))
  const smallDisk = join(directory, 'disk')
  await writeFile(join(directory, 'password'), quickVerifier(password), { mode: 0o600 })
  await mkdir(smallDisk)
  if (user !== undefined) {
    await chown(join(directory, 'password'), user.uid, user.gid)
    await chown(directory, user.uid, user.gid)
    await chown(smallDisk, user.uid, user.gid)
  }
  const flags = Object.entries({
    ...options.settings,
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    // Not errors, which tests cause on purpose; still LOG, whose line says when the server is ready.
    log_min_messages: 'log',
  }).flatMap(([name, value]) => ['-c', `${name}=${value}`])

  if (options.standbyOf !== undefined) await copyServer(bin, options.standbyOf, join(directory, 'data'), user)
  const keeper = spawnKeeper([bin, directory, ...flags], user, options)
  const gone = once(keeper, 'exit')
  // The keeper watches us, not the reverse: a forgotten server holds no process up, unless somebody waits for it.
  const pipes = [keeper.stdin, keeper.stderr] as unknown as readonly Pick<ChildProcess, 'ref' | 'unref'>[]
  const handles = [keeper, ...pipes]
  let waiting = 0
  const holdingUp = async <T>(work: Promise<T>): Promise<T> => {
    if (waiting++ === 0) for (const handle of handles) handle.ref()
    try {
      return await work
    } finally {
      if (--waiting === 0) for (const handle of handles) handle.unref()
    }
  }
  const stop = async () => {
    keeper.stdin.end()
    await holdingUp(gone)
    // The keeper has done it, unless it was killed itself.
    await rm(directory, { recursive: true, force: true })
  }
  // A write to a keeper that is gone: the log's end tells of it.
  keeper.stdin.on('error', () => {})
  const lives = new Lives(keeper.stderr, options.onLog)
  const start = (env: Readonly<Record<string, string>> = {}) => {
    const ready = lives.next()
    keeper.stdin.write(
      `start ${Object.entries(env)
        .map(([name, value]) => `${name}=${value}`)
        .join(' ')}\n`,
    )
    return holdingUp(ready)
  }
  try {
    await start()
  } catch (error) {
    await stop()
    throw error
  }
  return {
    url: options.standbyOf === undefined ? urlAt(port, password) : urlOn(options.standbyOf, port),
    dataDirectory: join(directory, 'data'),
    smallDisk:
      options.smallDiskBytes === undefined
        ? undefined
        : { path: smallDisk, outside: `/proc/${keeper.pid}/root${smallDisk}` },
    get running() {
      return lives.running
    },
    start,
    ended: () => holdingUp(lives.ended),
    stop,
  }
}

/**
 * What Postgres keeps of a password, of one round in place of 4,096: a test bus makes a dozen connections, and of the time that
 * the server needs for one, the rounds are a half. Postgres takes a verifier wherever it takes a password.
 */
export function quickVerifier(password: string): string {
  const salt = randomBytes(16)
  const salted = pbkdf2Sync(password, salt, 1, 32, 'sha256')
  const keyOf = (whose: string) => createHmac('sha256', salted).update(whose).digest()
  const storedKey = createHash('sha256').update(keyOf('Client Key')).digest('base64')
  return `SCRAM-SHA-256$1:${salt.toString('base64')}$${storedKey}:${keyOf('Server Key').toString('base64')}`
}

/**
 * Where files are kept in memory, else the folder for temporary files. A database is some 300 files, and tests make and drop
 * hundreds of databases: on ext4 a quarter of the server's time went into finding inodes that were not just deleted.
 */
async function memoryFolder(): Promise<string> {
  try {
    const { type, bavail, bsize } = await statfs(MEMORY_FOLDER)
    if (type === TMPFS && bavail * bsize >= MEMORY_BYTES_NEEDED) return MEMORY_FOLDER
  } catch {
    // Not a Linux, or a container without it.
  }
  return tmpdir()
}

function urlAt(port: number, password: string): string {
  return `postgres://postgres:${password}@127.0.0.1:${port}/postgres`
}

function urlOn(url: string, port: number): string {
  const other = new URL(url)
  other.port = String(port)
  return other.href
}

/** With where to follow it from. Its passwords are the same. */
async function copyServer(
  bin: string,
  url: string,
  dataDirectory: string,
  user: { uid: number; gid: number } | undefined,
): Promise<void> {
  const copied = ['--dbname', url, '--pgdata', dataDirectory, '--write-recovery-conf', '--checkpoint=fast']
  const options = { cwd: tmpdir(), env: { PATH: process.env['PATH'], LC_ALL: 'C' }, ...user }
  await promisify(execFile)(join(bin, 'pg_basebackup'), copied, options)
}

function spawnKeeper(
  keeperArguments: readonly string[],
  user: { uid: number; gid: number } | undefined,
  { smallDiskBytes }: Pick<ServerOptions, 'smallDiskBytes'>,
): ChildProcessByStdio<Writable, null, Readable> {
  const options = {
    // Neither the caller's folder, which that user may not be able to enter, nor its PG* variables.
    cwd: tmpdir(),
    env: { PATH: process.env['PATH'], LC_ALL: 'C' },
    detached: true,
    stdio: ['pipe', 'ignore', 'pipe'] as ['pipe', 'ignore', 'pipe'],
  }
  const kept = [KEEPER, 'outbus-postgres', ...keeperArguments]
  if (smallDiskBytes === undefined) return spawn('/bin/sh', ['-c', ...kept], { ...options, ...user })
  if (user === undefined) throw new Error('only root can give the server a small disk')
  const sizes = [smallDiskBytes, user.uid, user.gid].map(String)
  return spawn('unshare', ['--mount', '/bin/sh', '-c', WITH_SMALL_DISK, 'outbus-postgres', ...sizes, ...kept], options)
}

/** Reads the server's log, which says when a life of it is ready and when it has ended, and keeps its last lines for an error. */
class Lives {
  running = false
  #text = ''
  #ready = Promise.withResolvers<void>()
  #ended = Promise.withResolvers<void>()

  constructor(log: Readable, onLog?: (text: string) => void) {
    log.setEncoding('utf8')
    log.on('data', (chunk: string) => {
      onLog?.(chunk)
      const text = this.#text + chunk
      // Cut only once it is read: a server that is crowded while it starts says much at a time.
      this.#text = text.slice(-LOG_CHARACTERS_KEPT)
      if (text.includes(READY)) this.#begun()
      if (text.includes(ENDED)) this.#over()
    })
    log.on('end', () => this.#over())
  }

  get ended(): Promise<void> {
    return this.#ended.promise
  }

  /** Resolves when the server that is asked for now says that it is ready. */
  async next(): Promise<void> {
    this.#text = ''
    this.#ready = Promise.withResolvers<void>()
    this.#ended = Promise.withResolvers<void>()
    const late = setTimeout(() => this.#fail(`was not ready after ${START_TIMEOUT_MS} ms`), START_TIMEOUT_MS)
    try {
      await this.#ready.promise
    } finally {
      clearTimeout(late)
    }
  }

  #begun(): void {
    this.running = true
    this.#ready.resolve()
  }

  #over(): void {
    this.running = false
    this.#fail('did not start')
    this.#ended.resolve()
  }

  #fail(what: string): void {
    this.#ready.reject(new Error(`Postgres ${what}. Its log ends:\n${this.#text}`))
  }
}

/** Postgres refuses to run as root: then it is `postgres` where that user exists, else `nobody`. Nobody is created. */
export function unprivilegedUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined
  for (const name of ['postgres', 'nobody']) {
    try {
      const id = (flag: string) =>
        Number(execFileSync('id', [flag, name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }))
      return { uid: id('-u'), gid: id('-g') }
    } catch {
      // There is no such user on this machine: the next one.
    }
  }
  throw new Error('Postgres does not run as root, and this machine has neither a user postgres nor a user nobody')
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('No free port')
  return address.port
}
