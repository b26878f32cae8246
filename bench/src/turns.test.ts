import { expect, test } from 'vitest'
import type { Contestant, Turn } from './arena.ts'
import type { Scenario } from './contract.ts'
import { Amounts, inTurn, rowsFor, takeTurns } from './turns.ts'

test('in every turn each contestant has one slice', () => {
  const group = ['a', 'b', 'c']
  for (let turn = 0; turn < 12; turn++) expect(inTurn(group, turn).toSorted()).toEqual(group)
})

test('nobody is always first, and nobody always follows the same one', () => {
  const turns = Array.from({ length: 6 }, (_, turn) => inTurn(['a', 'b', 'c'], turn).join(''))
  expect(new Set(turns.map(([first]) => first))).toEqual(new Set(['a', 'b', 'c']))
  expect(new Set(turns).size).toBe(6)
})

test('of two, each is first as often as the other', () => {
  const first = Array.from({ length: 8 }, (_, turn) => inTurn(['old', 'new'], turn)[0])
  expect(first.filter((side) => side === 'old')).toHaveLength(4)
})

test('a slice has as many rows as its time allows, within bounds', () => {
  expect(rowsFor(123_456, 500)).toBe(62_000)
  expect(rowsFor(10, 500)).toBe(100)
  expect(rowsFor(1e9, 500)).toBe(100_000)
})

test('two commits get as many rows as the slower one manages, and as many in every later life', () => {
  const contestant = { system: 'outbus', variant: 'drain' } as Contestant
  const amounts = new Amounts()
  const first = amounts.get(contestant)
  amounts.learn(contestant, 100_000, 500)
  amounts.learn(contestant, 80_000, 500)
  // The second one still does what the first one did in the same turn.
  expect(amounts.get(contestant)).toBe(first)
  amounts.settle()
  expect(amounts.get(contestant)).toBe(40_000)
  amounts.fix()
  amounts.learn(contestant, 10_000, 500)
  amounts.settle()
  expect(amounts.get(contestant)).toBe(40_000)
})

const SIZES = { warmUps: 1, slices: 2, runs: 3, runsBesideSlices: 1, ms: 100 }

function contestant(label: string, cut: Scenario['cut'] = 'time'): Contestant {
  return { label, system: 'outbus', variant: 'v', sources: '', scenario: { name: 'v', cut } as Scenario }
}

/** Tells what is asked of it; contestants whose label begins with `bad` fail at their second turn. */
function arenaThat(record: (what: string) => void) {
  const turn: Turn = {
    slice: { measures: [{ scenario: 'v', unit: 'rows/s', value: 1_000 }], cpuUs: 0 },
    cost: undefined,
    syncs: undefined,
  }
  return {
    throwIfInterrupted: () => {},
    runWhole: async ({ label }: Contestant) => {
      record(`run ${label}`)
      return Promise.resolve(turn)
    },
    beginLife: async (one: Contestant) => {
      let turns = 0
      const { label } = one
      return Promise.resolve({
        contestant: one,
        turn: async () => {
          record(`slice ${label}`)
          if (label.startsWith('bad') && ++turns === 2) throw new Error('failed')
          return Promise.resolve(turn)
        },
        rest: async () => Promise.resolve(record(`rest ${label}`)),
        countSyncs: async () => {
          record(`count ${label}`)
          return Promise.resolve({ rows: 10, syncs: 1 })
        },
        end: async () => Promise.resolve(record(`end ${label}`)),
      })
    },
  }
}

async function play(group: readonly Contestant[]) {
  const said: string[] = []
  const told = { turns: [] as string[], syncs: [] as string[], failures: [] as string[] }
  await takeTurns(
    arenaThat((what) => said.push(what)),
    group,
    SIZES,
    new Amounts(),
    {
      onTurn: ({ label }, _, index) => void told.turns.push(`${label} ${index}`),
      onSyncs: ({ label }) => void told.syncs.push(label),
      onFailure: ({ label }, error) => void told.failures.push(`${label}: ${error.message}`),
    },
  )
  return { said, ...told }
}

test('warm-ups are not counted, slices are in turn, and syncs are counted when everybody has closed', async () => {
  const { said, turns, syncs } = await play([contestant('a'), contestant('b')])
  const warmUps = ['slice a', 'slice b']
  const slices = ['slice a', 'slice b', 'slice b', 'slice a']
  const afterwards = ['rest a', 'rest b', 'count a', 'count b', 'end a', 'end b']
  expect(said).toEqual([...warmUps, ...slices, ...afterwards])
  expect(turns).toEqual(['a 0', 'b 0', 'b 1', 'a 1'])
  expect(syncs).toEqual(['a', 'b'])
})

test('a contestant that fails is left out, is ended, and stops nobody else', async () => {
  const { said, turns, failures } = await play([contestant('bad'), contestant('good')])
  expect(failures).toEqual(['bad: failed'])
  expect(turns).toEqual(['good 0', 'good 1'])
  expect(said).toContain('end bad')
  expect(said).not.toContain('count bad')
})

test('what cannot be cut is run as often as its group says', async () => {
  expect((await play([contestant('whole', 'never')])).turns).toEqual(['whole 0', 'whole 1', 'whole 2'])
  const beside = await play([contestant('cut'), contestant('whole', 'never')])
  expect(beside.turns.filter((turn) => turn.startsWith('whole'))).toEqual(['whole 0'])
})
