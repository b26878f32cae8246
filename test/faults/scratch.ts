/** A folder that goes with this process, however it ends, unless it is kept. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Scratch {
  readonly directory: string
  /** It stays. */
  keep(): void
  /** Removes it, unless it is kept. */
  end(): Promise<void>
}

/** Waits for the end of its standard input, which comes however our process ends. A word there says that it is kept. */
const KEEPER = 'read -r kept || rm -rf "$1"'

export async function makeScratch(): Promise<Scratch> {
  const directory = await mkdtemp(join(tmpdir(), 'outbus-faults-'))
  const keeper = spawn('/bin/sh', ['-c', KEEPER, 'outbus-faults', directory], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  const gone = once(keeper, 'exit')
  keeper.stdin.on('error', () => undefined)
  keeper.unref()
  ;(keeper.stdin as typeof keeper.stdin & { unref(): void }).unref()
  let kept = false
  return {
    directory,
    keep() {
      kept = true
      keeper.stdin.write('kept\n')
    },
    async end() {
      keeper.ref()
      keeper.stdin.end()
      await gone
      if (!kept) await rm(directory, { recursive: true, force: true })
    },
  }
}
