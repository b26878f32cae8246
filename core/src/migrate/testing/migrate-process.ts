/** A process that migrates and prints what it applied, for tests that need several, or one to kill. */
import { migrate } from '../migrate.ts'

const [connectionString = '', schema = '', migrations = ''] = process.argv.slice(2)
const applied = await migrate({
  connection: { connectionString },
  schema,
  lines: [{ name: 'core', migrations: JSON.parse(migrations) as Record<string, string> }],
})
process.stdout.write(JSON.stringify(applied))
