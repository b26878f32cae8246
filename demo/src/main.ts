/** `npm start`: every GitHub webhook example through the bus, and a table at the end. `-- --json` prints one JSON object. */
import { startPostgres } from '@outbus/test-kit'
import { SingleBar } from 'cli-progress'
import Table from 'cli-table3'
import { Command } from 'commander'
import { balances, runJob } from './job.ts'
import type { Books } from './job.ts'

/** As sysexits.h has it. */
const EX_USAGE = 64

const { json = false } = new Command('npm start --')
  .description(
    'Feeds every payload of @octokit/webhooks-examples through kv.set, again and again, and balances the books.',
  )
  .option('--json', 'print one JSON object instead of the table')
  .addHelpText(
    'after',
    '\nUses DATABASE_URL when it is set (schema outbus_demo), else an embedded Postgres that is gone afterwards.',
  )
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : EX_USAGE))
  .parse()
  .opts<{ json?: boolean }>()

/** No colours: the table is as readable in a file as on a terminal. */
const PLAIN = { head: [], border: [], compact: true }

/** The last line: what to try next. */
const NEXT = `Next: DATABASE_URL=postgres://… npm start, on a Postgres of yours; the quickstart of README.md, in a service of yours;
npm run new-plugin -- my-source, for a source of your own.`

const given = process.env['DATABASE_URL']
const postgres = given ? undefined : await startPostgres('embedded', { durable: true })
let books: Books | undefined
try {
  books = await runJob({ databaseUrl: given ?? (postgres as { url: string }).url, ...progress() })
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`)
  process.exitCode = 69
} finally {
  await postgres?.stop()
}
if (books !== undefined) {
  process.stdout.write(json ? `${JSON.stringify(keysOf(books))}\n` : `${tableOf(books)}\n`)
  process.exitCode = balances(books) ? 0 : 1
}

/** A bar on a terminal, silence elsewhere. */
function progress() {
  if (json || !process.stderr.isTTY) return {}
  const bar = new SingleBar({
    format: '{phase} {bar} {value}/{total} deliveries',
    stream: process.stderr,
    clearOnComplete: true,
  })
  let started = false
  return {
    onProgress({ settled, expected, phase }: { settled: number; expected: number; phase: string }) {
      if (!started) bar.start(expected, 0, { phase })
      started = true
      bar.update(settled, { phase: phase.padEnd(11) })
      if (settled >= expected) bar.stop()
    },
  }
}

function keysOf({ events, rows, done, retried, deadLettered, replayed, rolledBack, lost, seconds }: Books) {
  return { events, rows, done, retried, deadLettered, replayed, rolledBack, lost, seconds }
}

function tableOf(books: Books): string {
  const pace = new Table({ colAligns: ['left', 'right'], style: PLAIN })
  pace.push(
    ['events per second, after a warm-up', `${books.eventsPerSecond.reached} of ${books.eventsPerSecond.aim}`],
    ['from commit to handler, p50', `${books.latencyMs.p50} ms`],
    ['from commit to handler, p99', `${books.latencyMs.p99} ms`],
    ['seconds, all in all', books.seconds],
  )
  const table = new Table({ colAligns: ['left', 'right'], style: PLAIN })
  table.push(
    ['events committed', books.events],
    ['transactions rolled back on purpose', books.rolledBack],
    ['outbox rows', books.rows],
    ['done', books.done],
    ['attempts retried', books.retried],
    ['dead-lettered', books.deadLettered],
    ['replayed with the repaired handler', books.replayed],
    ['lost', books.lost],
  )
  const top = new Table({ head: ['counted by', 'name', 'events'], colAligns: ['left', 'left', 'right'], style: PLAIN })
  for (const { kind, name, events } of books.top) top.push([kind, name, events])
  const verdict = balances(books) ? 'The books balance.' : 'THE BOOKS DO NOT BALANCE.'
  return [pace, table, top, verdict, NEXT].map(String).join('\n')
}

function messageOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
}
