import { defineConfig } from 'vitest/config'

export default defineConfig({
  // What is of this repository runs from its source, for the setup file as for the tests.
  plugins: [{ name: 'outbus-source', configEnvironment: () => ({ resolve: { conditions: ['outbus-source'] } }) }],
  test: {
    include: ['src/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // One Postgres for the run: `embedded`, `system`, `container` or a URL.
    globalSetup: ['./global-setup.ts'],
    provide: { postgresKind: process.env['OUTBUS_TEST_POSTGRES'] ?? 'embedded' },
  },
})
