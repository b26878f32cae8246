/** What a bus in a process of its own takes: behind a pooler, where the tests run behind one, what setup.ts gives the others. */
export function databaseOptions(url: string): { database: string; prepare?: boolean; listenUrl?: string } {
  const port = process.env['OUTBUS_TEST_DIRECT_PORT']
  if (port === undefined) return { database: url }
  const direct = new URL(url)
  direct.port = port
  return { database: url, prepare: false, listenUrl: direct.href }
}
