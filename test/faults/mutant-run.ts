/** A run whose bus is a mutant: only as long as it takes the checker to notice. */
import type { ViolationKind } from './check/violation.ts'
import { MUTANT_FACTS } from './mutants/names.ts'
import type { Mutant } from './mutants/names.ts'
import { FAULTS } from './nemesis/index.ts'
import { run } from './runner.ts'

/** What is not noticed by then is taken for unnoticed. One row in ten thousand takes as long as ten thousand rows do. */
const MOST_SECONDS = 300

export interface Caught {
  readonly mutant: Mutant
  readonly seconds: number
  readonly executions: number
  readonly noticedAfterMs: number | undefined
  readonly kind: ViolationKind | undefined
  readonly about: string | undefined
}

export async function catchMutant(mutant: Mutant, seed: number, say: (line: string) => void): Promise<Caught> {
  const faults = FAULTS.filter(({ name }) => MUTANT_FACTS[mutant].faults.includes(name))
  const result = await run({ seed, seconds: MOST_SECONDS, faults, mutant, untilFirst: true, say })
  const [first] = result.violations
  const seen = first !== undefined && MUTANT_FACTS[mutant].seenAs.includes(first.kind)
  return {
    mutant,
    seconds: result.seconds,
    executions: result.figures.executions,
    // What is found in the end only, is found after the whole run.
    noticedAfterMs: seen ? (result.noticedAfterMs ?? result.seconds * 1_000) : undefined,
    kind: first?.kind,
    about: first?.about,
  }
}
