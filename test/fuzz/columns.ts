/**
 * `npm run fuzz:columns -- --seconds 60 --seed 1`: one app's login with the rights of an emitter writes whatever it may into every column
 * that it may, by SQL, while a second app works. The second app must not notice: its deliveries, dead letters, requests, limits and
 * schedules go on, and its p99 stays below five times its idle.
 */
import { startPostgres } from '@outbus/test-kit'
import { parseFlags, readSeconds, readWhole, runCommand } from '@outbus/test-kit/flags'
import { fuzzColumns } from './fuzz-columns.ts'
import { textOf } from './second-app.ts'

const print = (line: string) => process.stdout.write(`${line}\n`)

async function main(): Promise<number> {
  const values = parseFlags(
    {
      seconds: { type: 'string' },
      minutes: { type: 'string' },
      seed: { type: 'string' },
      postgres: { type: 'string' },
    },
    '--seconds N or --minutes N, --seed N, --postgres embedded or a URL',
  )
  const seconds = readSeconds(values)
  const seed = readWhole('--seed', values.seed) ?? Math.floor(Math.random() * 2 ** 31)
  print(`seed ${seed}`)
  await using server = await startPostgres(values.postgres ?? 'embedded')
  const result = await fuzzColumns({ serverUrl: server.url, seed, seconds })
  for (const { table, column, accepted, refused } of result.columns)
    print(
      `  ${`${table}.${column}`.padEnd(44)} ${String(accepted).padStart(6)} accepted ${String(refused).padStart(6)} refused`,
    )
  print(textOf('idle', result.idle))
  print(textOf('with the fuzz', result.loaded))
  print(
    `${result.statements} statements, ${result.setAside} rows set aside, ${result.deadLetters} dead letters of the first app`,
  )
  for (const why of result.noticed) print(`NOTICED: ${why}`)
  return result.noticed.length === 0 ? 0 : 1
}

await runCommand('fuzz:columns', main)
