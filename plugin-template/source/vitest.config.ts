import { defineConfig } from 'vitest/config'

export default defineConfig({
  ssr: { resolve: { conditions: ['outbus-source'] } },
  test: {
    include: ['src/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // One Postgres for the run: `embedded`, `system`, `container` or a URL.
    globalSetup: ['@outbus/test-kit/global-setup'],
    provide: { postgresKind: process.env['OUTBUS_TEST_POSTGRES'] ?? 'embedded' },
  },
})
