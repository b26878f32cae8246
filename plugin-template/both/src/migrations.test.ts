import { sqlModule } from '@outbus/test-kit/sql-module'
import { expect, test } from 'vitest'

test('migrations.ts says what the .sql files say: `npm test -- -u` writes it', async () => {
  const made = await sqlModule(new URL('../migrations/', import.meta.url), 'migrations')
  await expect(made).toMatchFileSnapshot('migrations.ts')
})
