import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { randomBytes } from 'node:crypto'
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * The keeper: makes the cluster, runs the server, and waits for the end of its own standard input. The other end of
 * that pipe is held by our process alone, so the kernel closes it however our process ends, by SIGKILL too; then the
 * keeper ends the server at once (SIGQUIT: nothing is kept, so nothing need be flushed) and removes the folder. It is
 * in a session of its own: a Ctrl-C in the terminal is for the program, which still needs its database to stop gracefully.
 */
const KEEPER = `
bin=$1; dir=$2; shift 2
{
  "$bin/initdb" --pgdata="$dir/data" --username=postgres --auth=password --pwfile="$dir/password" \\
    --encoding=UTF8 --no-locale --no-sync >&2 &&
  exec "$bin/postgres" -D "$dir/data" "$@" >&2
} </dev/null &
exec >/dev/null 2>&1
cat
trap '' TERM QUIT
kill -TERM 0
kill -QUIT 0
wait
rm -rf "$dir"
`
const READY = 'database system is ready to accept connections'
const START_TIMEOUT_MS = 60_000
const LOG_CHARACTERS_KEPT = 4_000
const PORT_ATTEMPTS = 3

/** Runs a throw-away server from a `bin` folder on a free port of 127.0.0.1. */
export async function startServer(
  bin: string,
  settings: Readonly<Record<string, string | number>>,
): Promise<{ url: string; stop(): Promise<void> }> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnFreePort(bin, settings)
    } catch (error) {
      // A port is free when asked for, and may be somebody else's when Postgres binds it.
      if (attempt === PORT_ATTEMPTS || !String(error).includes('could not bind')) throw error
    }
  }
}

async function startOnFreePort(
  bin: string,
  settings: Readonly<Record<string, string | number>>,
): Promise<{ url: string; stop(): Promise<void> }> {
  const user = unprivilegedUser()
  const port = await freePort()
  const password = randomBytes(12).toString('hex')
  const directory = await mkdtemp(join(tmpdir(), 'outbus-postgres-'))
  await writeFile(join(directory, 'password'), password, { mode: 0o600 })
  if (user !== undefined) {
    await chown(join(directory, 'password'), user.uid, user.gid)
    await chown(directory, user.uid, user.gid)
  }
  const flags = Object.entries({
    ...settings,
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    // Not errors, which tests cause on purpose; still LOG, whose line says when the server is ready.
    log_min_messages: 'log',
  }).flatMap(([name, value]) => ['-c', `${name}=${value}`])

  const keeper = spawn('/bin/sh', ['-c', KEEPER, 'outbus-postgres', bin, directory, ...flags], {
    ...user,
    // Neither the caller's folder, which that user may not be able to enter, nor its PG* variables.
    cwd: tmpdir(),
    env: { PATH: process.env['PATH'], LC_ALL: 'C' },
    detached: true,
    stdio: ['pipe', 'ignore', 'pipe'],
  })
  const gone = once(keeper, 'exit')
  const stop = async () => {
    keeper.ref()
    keeper.stdin.end()
    await gone
    // The keeper has done it, unless it was killed itself.
    await rm(directory, { recursive: true, force: true })
  }
  // The keeper watches us, not the reverse: a forgotten server holds no process up. So does a write to a keeper that is gone.
  keeper.stdin.on('error', () => {})
  try {
    await ready(keeper.stderr)
  } catch (error) {
    await stop()
    throw error
  }
  keeper.unref()
  for (const stream of [keeper.stdin, keeper.stderr]) (stream as typeof stream & { unref(): void }).unref()
  return { url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`, stop }
}

/** Resolves when the server says that it is ready; afterwards its log is read and thrown away. */
function ready(log: NodeJS.ReadableStream): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = ''
    const fail = (what: string) => reject(new Error(`Postgres ${what}. Its log ends:\n${text}`))
    const timer = setTimeout(() => fail(`was not ready after ${START_TIMEOUT_MS} ms`), START_TIMEOUT_MS)
    log.setEncoding('utf8')
    log.on('data', (chunk: string) => {
      text = (text + chunk).slice(-LOG_CHARACTERS_KEPT)
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
