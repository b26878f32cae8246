/** Starts an emitting process and asks it to emit. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

const SCRIPT = fileURLToPath(new URL('emitter.ts', import.meta.url))

/** Resolves when the process is ready; it ends with the test. `emit` answers with the rows that its `kv.set` made. */
export async function startEmitter(url: string): Promise<{ emit(collection: string): Promise<number> }> {
  const child = fork(SCRIPT, [JSON.stringify({ url })], { execArgv: ['--conditions=outbus-source'] })
  const exited = once(child, 'exit')
  onTestFinished(async () => {
    child.disconnect()
    await exited
  })
  await once(child, 'message')
  return {
    async emit(collection) {
      const answered = once(child, 'message')
      child.send(collection)
      return (await answered)[0] as number
    },
  }
}
