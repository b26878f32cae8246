/** A process that migrates and prints what it applied, for tests that need several, or one to kill. */
import { migrate } from '../migrate.ts'

const [connectionString = '', schema = '', directory = ''] = process.argv.slice(2)
const applied = await migrate({
  connection: { connectionString },
  schema,
  lines: [{ name: 'core', directory: new URL(directory) }],
})
process.stdout.write(JSON.stringify(applied))
