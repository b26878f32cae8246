/**
 * `npm run bench:worst`: for how long the worst input that the default limits let through keeps the event loop from everybody else. The bench
 * fails where nobody else has a turn for more than 50 ms.
 *
 * A case is the largest filter against the largest event, since what multiplies the two is what a stranger can use. Times are of the
 * processor, where Node says them: what else the machine does counts for nothing. What is done in another thread counts for nothing either.
 */
import { runCommand, UsageError } from '@outbus/test-kit/flags'
import { inputCases } from './worst-inputs.ts'
import { patternCases } from './worst-patterns.ts'
import { triggerCases } from './worst-triggers.ts'

const MOST_MS = 50
const ROUNDS = 5

/** Of this thread: system and user time. */
function cpuMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1_000
}

/** The longest time between two turns of the event loop, in ms of the processor, and what came of it. */
async function longestTurn(run: () => unknown): Promise<{ readonly ms: number; readonly result: unknown }> {
  let most = 0
  let isOver = false
  let last = cpuMs()
  const turn = () => {
    const now = cpuMs()
    most = Math.max(most, now - last)
    last = now
    if (!isOver) setImmediate(turn)
  }
  setImmediate(turn)
  const result = await run()
  turn()
  isOver = true
  return { ms: most, result }
}

async function main(): Promise<number> {
  const only = process.argv[2] ?? ''
  if (only.startsWith('-')) throw new UsageError(`${only}: there are no flags, only part of the name of a case`)
  let slow = 0
  for (const { name, run } of [...patternCases(), ...triggerCases(), ...inputCases()]) {
    if (!name.includes(only)) continue
    const took: number[] = []
    let result: unknown
    for (let round = 0; round <= ROUNDS; round++) {
      const measured = await longestTurn(run)
      result = measured.result
      if (round > 0) took.push(measured.ms)
    }
    const ms = took.toSorted((a, b) => a - b)[Math.floor(ROUNDS / 2)] as number
    const isSlow = ms > MOST_MS
    if (isSlow) slow++
    process.stdout.write(
      `${ms.toFixed(1).padStart(9)} ms  ${isSlow ? 'TOO LONG  ' : ''}${name}${result === 'refused' ? ' (refused)' : ''}\n`,
    )
  }
  if (slow > 0) process.stdout.write(`${slow} of them keep the event loop for more than ${MOST_MS} ms\n`)
  return slow > 0 ? 1 : 0
}

await runCommand('bench:worst', main)
