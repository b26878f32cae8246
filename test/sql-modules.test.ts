/** The SQL modules of this repository say what its `.sql` files say. `npm run sql-modules` writes them. */
import { sqlModule } from '@outbus/test-kit/sql-module'
import { expect, test } from 'vitest'

test.for<[folder: string, module: string, name: string]>([
  ['migrations/core', 'migrations/src/core.ts', 'coreMigrations'],
  ['migrations/roles', 'migrations/src/roles.ts', 'roleStatements'],
  ['plugins/docs/migrations', 'plugins/docs/src/migrations.ts', 'migrations'],
  ['plugins/kv/migrations', 'plugins/kv/src/migrations.ts', 'migrations'],
  ['plugins/schedule/migrations', 'plugins/schedule/src/migrations.ts', 'migrations'],
  ['plugin-template/both/migrations', 'plugin-template/both/src/migrations.ts', 'migrations'],
  ['plugin-template/source/migrations', 'plugin-template/source/src/migrations.ts', 'migrations'],
  [
    'test/integration/examples/bookings/migrations',
    'test/integration/examples/bookings/src/migrations.ts',
    'migrations',
  ],
])('%s', async ([folder, module, name]) => {
  const made = await sqlModule(new URL(`../${folder}/`, import.meta.url), name)
  await expect(made).toMatchFileSnapshot(`../${module}`)
})
