/** Contestants take turns: slice by slice, each time in another order, so that what the machine does hits all of them. */
import type { Arena, Contestant, Life, Syncs, Turn } from './arena.ts'
import type { Amount } from './contract.ts'

export interface Sizes {
  /** Slices at the beginning of a life that are not counted. */
  readonly warmUps: number
  /** Slices in each life. */
  readonly slices: number
  /** Runs in each life of a group in which nothing can be cut. */
  readonly runs: number
  /** The same where other contestants of the group can be cut. */
  readonly runsBesideSlices: number
  /** How long a slice is to last. */
  readonly ms: number
}

/** A second is the most; shorter ones give more pairs, and must still hold some commits of the slowest system. */
export const SIZES: { readonly quick: Sizes; readonly full: Sizes } = {
  quick: { warmUps: 2, slices: 4, runs: 1, runsBesideSlices: 1, ms: 150 },
  full: { warmUps: 3, slices: 6, runs: 1, runsBesideSlices: 4, ms: 500 },
}

/** How many rows the first slice of a contestant gets. The rate of a slice decides how many rows the next one gets. */
const FIRST_ROWS = 200
const LEAST_ROWS = 100
const MOST_ROWS = 100_000

export interface Listener {
  onTurn(contestant: Contestant, turn: Turn, index: number): void
  onSyncs(contestant: Contestant, syncs: Syncs): void
  /** A contestant that fails is left out for the rest of the life: a hole, and no reason not to measure the others. */
  onFailure(contestant: Contestant, error: Error): void
}

/**
 * Rows a slice for each system and variant. They are found out by the first life's slices that are not counted, and are the
 * same from then on. Two commits of one system get the same number, by the slower one of both.
 */
export class Amounts {
  readonly #rows = new Map<string, number>()
  readonly #learnt = new Map<string, number>()
  #fixed = false

  get({ system, variant }: Contestant): number {
    return this.#rows.get(`${system}\n${variant}`) ?? FIRST_ROWS
  }

  learn({ system, variant }: Contestant, rate: number, ms: number): void {
    const key = `${system}\n${variant}`
    this.#learnt.set(key, Math.min(this.#learnt.get(key) ?? Number.POSITIVE_INFINITY, rowsFor(rate, ms)))
  }

  /** What was learnt holds from the next slices on. */
  settle(): void {
    if (!this.#fixed) for (const [key, rows] of this.#learnt) this.#rows.set(key, rows)
    this.#learnt.clear()
  }

  fix(): void {
    this.#fixed = true
  }
}

/** One life of each contestant of a group. */
export async function takeTurns(
  arena: Pick<Arena, 'beginLife' | 'runWhole' | 'throwIfInterrupted'>,
  group: readonly Contestant[],
  sizes: Sizes,
  amounts: Amounts,
  listener: Listener,
): Promise<void> {
  const lives: Life[] = []
  const left = new Set(group)
  const attempt = async (contestant: Contestant, step: () => Promise<void>) => {
    try {
      await step()
    } catch (error) {
      arena.throwIfInterrupted()
      left.delete(contestant)
      listener.onFailure(contestant, error as Error)
    }
  }
  const amountOf = (contestant: Contestant): Amount => ({
    rows: amounts.get(contestant),
    ms: sizes.ms,
  })
  try {
    const cut = group.filter(({ scenario }) => scenario.cut !== 'never')
    // Most of a beginning is spent waiting, so they begin together; nothing is measured yet.
    await Promise.all(
      cut.map((contestant) => attempt(contestant, async () => void lives.push(await arena.beginLife(contestant)))),
    )
    for (let i = 0; i < sizes.warmUps; i++) {
      for (const life of lives)
        if (left.has(life.contestant))
          await attempt(life.contestant, async () => {
            const { slice } = await life.turn(amountOf(life.contestant))
            amounts.learn(life.contestant, slice.measures[0]?.value ?? 0, sizes.ms)
          })
      amounts.settle()
    }
    amounts.fix()

    const count = countOf(group, sizes)
    for (let i = 0; i < count; i++)
      for (const contestant of inTurn(group, i)) {
        if (
          !left.has(contestant) ||
          (contestant.scenario.cut === 'never' && i >= sizes.runsBesideSlices && cut.length > 0)
        )
          continue
        await attempt(contestant, async () => {
          const life = lives.find((one) => one.contestant === contestant)
          const turn = await (life?.turn(amountOf(contestant)) ?? arena.runWhole(contestant))
          listener.onTurn(contestant, turn, i)
          if (turn.syncs !== undefined) listener.onSyncs(contestant, turn.syncs)
        })
      }

    for (const life of lives) if (left.has(life.contestant)) await attempt(life.contestant, () => life.rest())
    for (const life of lives)
      if (left.has(life.contestant))
        await attempt(life.contestant, async () => {
          const syncs = await life.countSyncs(amountOf(life.contestant))
          if (syncs !== undefined) listener.onSyncs(life.contestant, syncs)
        })
  } finally {
    for (const life of lives) await life.end()
  }
}

/** Two digits: what a slice is of is to be read in the notes of a run, not to be exact. */
export function rowsFor(rate: number, ms: number): number {
  const rows = Math.min(MOST_ROWS, Math.max(LEAST_ROWS, (rate * ms) / 1_000))
  return Number(rows.toPrecision(2))
}

function countOf(group: readonly Contestant[], { slices, runs }: Sizes): number {
  if (group.some(({ scenario }) => scenario.cut !== 'never')) return slices
  return group.some(({ scenario }) => scenario.cut === 'never' && scenario.once === true) ? 1 : runs
}

/** Forwards from another one each time, then backwards: nobody always follows the same one. */
export function inTurn<T>(group: readonly T[], turn: number): T[] {
  const first = Math.floor(turn / 2) % Math.max(1, group.length)
  const rotated = [...group.slice(first), ...group.slice(0, first)]
  return turn % 2 === 0 ? rotated : rotated.toReversed()
}
