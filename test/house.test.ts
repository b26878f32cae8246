/**
 * The layout of `core/src`: which room may import which. A *room* is a folder of it; the folders of `dispatch` are rooms of their own,
 * and so is each file at the root. Types count as imports, tests do not.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

/** From the ground up. A room imports rooms of lower floors, and itself. It never imports its own floor or a higher one. */
const FLOORS: readonly (readonly string[])[] = [
  ['secrets', 'switches', 'time'],
  ['errors.ts'],
  ['validation'],
  ['contract'],
  ['patterns', 'postgres', 'retry'],
  ['migrate', 'plugins', 'sql', 'wake'],
  ['principals', 'quotas'],
  ['audit', 'set-aside'],
  ['history', 'maintenance', 'triggers'],
  ['outbox', 'roles'],
  ['dead-letters', 'inbox'],
  ['dispatch/gate'],
  ['dispatch/run'],
  ['dispatch/batches'],
  ['dispatch/leases'],
  ['dispatch'],
  ['context', 'privacy'],
  ['apps'],
  ['options.ts'],
  ['container.ts'],
  ['bus.ts'],
  ['index.ts', 'plugin.ts'],
]

/** Imports that run up all the same. Each says why; one that is not needed any more has to go. */
const EXCEPTIONS: Readonly<Record<string, string>> = {
  'errors.ts → validation/brand.ts': 'an error is known by its brand, and the file imports nothing',
  'secrets/safe-log.ts → validation/kinds.ts':
    'what an error is, is asked in one place, and the file imports nothing of core',
  'validation/json.ts → contract/json.ts': 'the types of JSON are words of the contract, and the file imports nothing',
  'principals/principals.ts → audit/auditor.ts':
    'changes of principals are audited, and the audit is read with the rights of one',
}

/** The contract is what plugins compile against: it brings nothing else of core along. */
const CONTRACT_MAY_IMPORT = ['errors.ts', 'validation']

const MOST_FILES_AT_THE_ROOT = 6

const CORE = fileURLToPath(new URL('../core/src', import.meta.url))
const IMPORT = /^(?:import|export)\b[^;'"]*?\bfrom '(\.[^']+)'|^import '(\.[^']+)'|^[^*\n]*?\bimport\('(\.[^']+)'\)/gm

const files = readdirSync(CORE, { recursive: true, encoding: 'utf8' })
  .map((file) => file.split(sep).join('/'))
  .filter((file) => file.endsWith('.ts') && !file.includes('.test.') && !file.includes('testing/'))

const imports = files.flatMap((from) =>
  [...readFileSync(join(CORE, from), 'utf8').matchAll(IMPORT)]
    .map(([, named, bare, dynamic]) => named ?? bare ?? dynamic ?? '')
    .map((path) => ({
      from,
      to: normalize(join(dirname(from), path))
        .split(sep)
        .join('/'),
    })),
)

function roomOf(file: string): string {
  const [first = '', second = '', third] = file.split('/')
  return first === 'dispatch' && third !== undefined ? `dispatch/${second}` : first
}

function floorOf(file: string): number {
  return FLOORS.findIndex((rooms) => rooms.includes(roomOf(file)))
}

test('the imports of core are found', () => {
  expect(files.length).toBeGreaterThan(300)
  expect(imports.length).toBeGreaterThan(1_500)
})

test('each room of core/src has its floor: a new one is added to the table', () => {
  expect([...new Set(files.filter((file) => floorOf(file) === -1).map(roomOf))]).toEqual([])
})

test('imports between rooms of core/src run down', () => {
  const up = imports
    .filter(({ from, to }) => roomOf(from) !== roomOf(to) && floorOf(to) >= floorOf(from))
    .map(({ from, to }) => `${from} → ${to}`)
  expect([...new Set(up)].toSorted()).toEqual(Object.keys(EXCEPTIONS).toSorted())
})

test('the contract imports errors and validation, and nothing else of core', () => {
  const others = imports.filter(
    ({ from, to }) => roomOf(from) === 'contract' && !['contract', ...CONTRACT_MAY_IMPORT].includes(roomOf(to)),
  )
  expect(others).toEqual([])
})

test('the hand-over is fenced in: the lane that waits is its one door', () => {
  const isWithin = (file: string) => file.startsWith('dispatch/batches/hand-over/')
  const doors = imports.filter(({ from, to }) => isWithin(to) && !isWithin(from)).map(({ from }) => from)
  expect([...new Set(doors)]).toEqual(['dispatch/batches/lane.ts'])
})

test(`the root of core/src has at most ${MOST_FILES_AT_THE_ROOT} files, and sql/ has its statements in rooms`, () => {
  expect(files.filter((file) => !file.includes('/')).length).toBeLessThanOrEqual(MOST_FILES_AT_THE_ROOT)
  expect(files.filter((file) => /^sql\/[^/]+$/.test(file))).toEqual([])
})
