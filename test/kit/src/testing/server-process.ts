/** A process that starts a Postgres, prints its URL and waits to be killed. */
import { startPostgres } from '../postgres.ts'

const server = await startPostgres(process.argv[2])
process.stdout.write(server.url)
setInterval(() => {}, 1_000)
