/** The thread of calculator.ts. */
import { parentPort } from 'node:worker_threads'
import { isOutbusError } from '@outbus/core'
import { clock } from '@outbus/core/plugin'
import type { Question, Said } from './calculator.ts'
import { assertRecurrence, handOver, preview } from './recurrence.ts'

const port = parentPort
// What is calculated first takes a hundred times as long as what follows.
preview({ recurrence: 'FREQ=DAILY;BYHOUR=1', timezone: 'Europe/Berlin' }, new Date(0), 1)
port?.on('message', (question: Question) => {
  port.postMessage({ kind: 'begun' } satisfies Said)
  port.postMessage(answerTo(question))
})

function answerTo(question: Question): Said {
  const begunAt = cpuMs()
  try {
    const value = valueOf(question)
    return { kind: 'answer', value, tookMs: cpuMs() - begunAt }
  } catch (error) {
    if (!isOutbusError<string>(error)) throw error
    const { code, message, path, received, limit, hint } = error
    return {
      kind: 'refused',
      code,
      // The error that is made of it again says its hint in its message again.
      message: hint === undefined ? message : message.replace(` (${hint})`, ''),
      details: {
        ...(path === undefined ? {} : { path }),
        ...(received === undefined ? {} : { received }),
        ...(limit === undefined ? {} : { limit }),
        ...(hint === undefined ? {} : { hint }),
      },
    }
  }
}

function valueOf(question: Question): unknown {
  switch (question.ask) {
    case 'assert':
      return assertRecurrence(question.given, question.now)
    case 'handOver':
      return handOver(question.given, question.now)
    case 'preview':
      return preview(question.given, question.from, question.count)
  }
}

/** The CPU time of this thread. Where Node does not say it, the time that has passed. */
function cpuMs(): number {
  const { threadCpuUsage } = process as { threadCpuUsage?: () => { readonly user: number; readonly system: number } }
  if (threadCpuUsage === undefined) return clock.performance.now()
  const { user, system } = threadCpuUsage.call(process)
  return (user + system) / 1_000
}
