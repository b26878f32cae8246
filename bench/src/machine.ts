/** What a figure was measured on. */
import { cpus, totalmem } from 'node:os'

export function describeMachine(postgresVersion: string): string {
  const processors = cpus()
  const model = (processors[0]?.model ?? 'unknown processor').replace(/\s+/g, ' ').trim()
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`
  const postgres = postgresVersion.split(' ')[0]
  return `${processors.length} × ${model}, ${memory}, Postgres ${postgres}, Node ${process.versions.node}`
}
