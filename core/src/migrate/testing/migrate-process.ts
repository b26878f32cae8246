/** A process that migrates and prints what it applied, for the tests that need several of them, or one to kill. */
import { migrate } from '../migrate.ts'

const [connectionString = '', schema = '', directory = ''] = process.argv.slice(2)
const applied = await migrate({
  connection: { connectionString },
  schema,
  lines: [{ name: 'core', directory: new URL(directory) }],
})
process.stdout.write(JSON.stringify(applied))
