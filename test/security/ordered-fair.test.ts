/** Rows in order of one app that cannot run now, or that are many, do not keep those of another app waiting (G9, G19). */
import { expect, test, vi } from 'vitest'
import { insertAgain, setUpTwoApps } from './two-apps.ts'

const KEYS = 60_000

/** Beside rows of shop, written by its login: `i` counts them from 1. */
async function setUp(rows: number, columns: Readonly<Record<string, string>>) {
  const { dispatching, emitting, shop, bank, ran } = await setUpTwoApps()
  await shop.kv.set('ordered', 'first', 1)
  const written = { event_id: 'gen_random_uuid()', ordering_key: `'line' || i % ${KEYS}`, ...columns }
  await emitting.query(insertAgain(written).replace(' where ', `, generate_series(1, ${rows}) as i where `))
  const bankRuns = async (key: string) => {
    await bank.kv.set('ordered', key, 1)
    await vi.waitFor(() => expect(ran).toContain(`bank work ${key}`), { timeout: 20_000, interval: 5 })
  }
  return { dispatching, bankRuns, ran }
}

test.for([
  ['that are not due', KEYS, `now() + '1 y'`],
  [
    'behind first rows of their keys that are not due',
    KEYS + 1_000,
    `now() + case when i <= ${KEYS} then '1 y' else '0' end::interval`,
  ],
] as const)('rows of one app %s cost those of another next to nothing', async ([, rows, due]) => {
  const { dispatching, bankRuns } = await setUp(rows, { due_at: due })
  await dispatching.start()
  await bankRuns('warm')
  const startedAt = performance.now()
  for (let i = 0; i < 10; i++) await bankRuns(`k${i}`)
  expect(performance.now() - startedAt).toBeLessThan(2_500)
})

test('a row of one app runs long before ten thousand lines that another app has due', async () => {
  const { dispatching, bankRuns, ran } = await setUp(10_000, { due_at: `'2000-01-01'` })
  await dispatching.start()
  for (let i = 0; i < 3; i++) await bankRuns(`k${i}`)
  expect(ran.length).toBeLessThan(8_000)
})

test('rows whose keys have a first row that is not due run in their order once it is', async () => {
  const { dispatching, ran } = await setUp(3_000, {
    due_at: `now() + case when i <= 300 then '1 s' else '0' end::interval`,
    ordering_key: `'line' || i % 300`,
    event: `json_build_object('op', 'set', 'collection', 'ordered', 'key', i)`,
  })
  await dispatching.start()
  await vi.waitFor(() => expect(ran).toHaveLength(3_001), { timeout: 30_000, interval: 20 })
  const seen = new Map<number, number>()
  for (const line of ran.slice(0)) {
    const i = Number(line.split(' ').at(-1))
    if (Number.isNaN(i)) continue
    expect(i).toBeGreaterThan(seen.get(i % 300) ?? 0)
    seen.set(i % 300, i)
  }
  expect(seen.size).toBe(300)
})
