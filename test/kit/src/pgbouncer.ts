/** A PgBouncer in transaction mode, from the system's packages (Debian: `pgbouncer`). */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { freePort, unprivilegedUser } from './server.ts'

/** Ends PgBouncer and removes its folder when the other end of its standard input is closed, as in server.ts. */
const KEEPER = `
bin=$1; dir=$2
"$bin" "$dir/pgbouncer.ini" </dev/null >&2 &
pid=$!
exec >/dev/null 2>&1
cat
kill -KILL $pid
wait
rm -rf "$dir"
`
const READY = 'process up'
const START_TIMEOUT_MS = 10_000

export interface PgBouncerOptions {
  /** The Postgres behind it, as anybody. */
  readonly serverUrl: string
  /** Login name to password: who may come through it. */
  readonly users: Readonly<Record<string, string>>
  /** Server connections for each database and login. Default 20. */
  readonly poolSize?: number
  /** The port of one that was stopped. Default: a free one. */
  readonly port?: number
}

export interface RunningPgBouncer {
  readonly port: number
  /** The same database and login, through it. */
  through(url: string): string
  /** Ends it at once, and every connection with it. */
  stop(): Promise<void>
}

/** Undefined where it is not installed. */
export function findPgBouncer(): string | undefined {
  return ['/usr/sbin', ...(process.env['PATH'] ?? '').split(delimiter).filter(Boolean)]
    .map((folder) => join(folder, 'pgbouncer'))
    .find((path) => existsSync(path))
}

export async function startPgBouncer(bin: string, options: PgBouncerOptions): Promise<RunningPgBouncer> {
  const { serverUrl, users, poolSize = 20, port = await freePort() } = options
  const server = new URL(serverUrl)
  const directory = await mkdtemp(join(tmpdir(), 'outbus-pgbouncer-'))
  const files = {
    users: Object.entries(users).map(([name, password]) => `"${name}" "${password}"\n`),
    'pgbouncer.ini': [
      '[databases]\n',
      `* = host=${server.hostname} port=${server.port}\n`,
      '[pgbouncer]\n',
      `listen_addr = 127.0.0.1\nlisten_port = ${port}\nunix_socket_dir =\n`,
      `auth_type = plain\nauth_file = ${join(directory, 'users')}\n`,
      `pool_mode = transaction\ndefault_pool_size = ${poolSize}\nmax_client_conn = 1000\n`,
      // A server that was away is asked again at once.
      'server_login_retry = 0.1\n',
    ],
  }
  const user = unprivilegedUser()
  for (const [name, lines] of Object.entries(files)) {
    await writeFile(join(directory, name), lines.join(''), { mode: 0o600 })
    if (user !== undefined) await chown(join(directory, name), user.uid, user.gid)
  }
  if (user !== undefined) await chown(directory, user.uid, user.gid)
  const keeper = spawn('/bin/sh', ['-c', KEEPER, 'outbus-pgbouncer', bin, directory], {
    ...user,
    cwd: tmpdir(),
    env: { PATH: process.env['PATH'] },
    detached: true,
    stdio: ['pipe', 'ignore', 'pipe'],
  })
  const gone = once(keeper, 'exit')
  keeper.stdin.on('error', () => {})
  const stop = async () => {
    keeper.ref()
    keeper.stdin.end()
    await gone
    await rm(directory, { recursive: true, force: true })
  }
  try {
    await ready(keeper.stderr)
  } catch (error) {
    await stop()
    throw error
  }
  keeper.unref()
  for (const stream of [keeper.stdin, keeper.stderr]) (stream as typeof stream & { unref(): void }).unref()
  const through = (url: string) => {
    const there = new URL(url)
    there.hostname = '127.0.0.1'
    there.port = String(port)
    return there.href
  }
  return { port, through, stop }
}

/** Resolves when it says that it is up; afterwards its log is read and thrown away. */
function ready(log: NodeJS.ReadableStream): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = ''
    const fail = (what: string) => reject(new Error(`PgBouncer ${what}. Its log:\n${text}`))
    const timer = setTimeout(() => fail(`was not up after ${START_TIMEOUT_MS} ms`), START_TIMEOUT_MS)
    log.setEncoding('utf8')
    log.on('data', (chunk: string) => {
      if (text.includes(READY)) return
      text += chunk
      if (!text.includes(READY)) return
      clearTimeout(timer)
      resolve()
    })
    log.on('end', () => {
      clearTimeout(timer)
      fail('did not start')
    })
  })
}
