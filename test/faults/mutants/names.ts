import type { ViolationKind } from '../check/violation.ts'

/** The mutants of the bus that the checker has to fail, and what each is. */
export const MUTANTS = [
  'unfenced-settle',
  'commit-before-handler',
  'claim-without-limit',
  'epoch-check-off',
  'note-off',
  'app-id-left-out',
  'gate-bypassed-by-sync',
  'one-row-in-ten-thousand-dropped',
] as const

export type Mutant = (typeof MUTANTS)[number]

export interface MutantFacts {
  /** What it does, in one sentence. */
  readonly breaks: string
  /** The promises that it breaks, by their numbers. */
  readonly guarantees: readonly string[]
  /** Faults without which it does no harm, by their names. None: it shows under load alone. */
  readonly faults: readonly string[]
  /** The processes that are to be mutants. */
  readonly on: readonly ('dispatcher' | 'emitter')[]
  /** As what the checker sees it. Anything else would be luck, and does not count. */
  readonly seenAs: readonly ViolationKind[]
  /** What the load has to have for the harm to be seen. */
  readonly needs: string
}

export const MUTANT_FACTS: Readonly<Record<Mutant, MutantFacts>> = {
  'unfenced-settle': {
    breaks: 'A worker that lost its lease while it stood still settles by id alone, over the attempt that runs by now.',
    guarantees: ['G3'],
    faults: ['sigstop-for-a-lease'],
    on: ['dispatcher'],
    seenAs: ['overwritten', 'attempts', 'attempt-twice', 'late'],
    needs:
      'handlers that outlive holdMs, and a stop that ends while somebody else runs what the stopped one had: an outcome comes of an attempt that had been taken over, or an attempt starts twice',
  },
  'commit-before-handler': {
    breaks: 'The claim is committed before its handlers run, so that others claim the same rows while they do.',
    guarantees: ['G3', 'G7'],
    faults: [],
    on: ['dispatcher'],
    seenAs: ['overwritten', 'attempt-twice', 'unexplained', 'overlap', 'late', 'attempts', 'doubled'],
    needs: 'two lanes and handlers of some ms: attempts are charged that no fault explains',
  },
  'claim-without-limit': {
    breaks: 'A claim takes and locks every due row, whatever the permits and the size of a batch.',
    guarantees: ['G6', 'G8'],
    faults: [],
    on: ['dispatcher'],
    seenAs: ['gate', 'unexplained'],
    needs:
      'more requests at a time than a process has permits: the gate is exceeded; and a backlog of more than batchRows: a note names more rows than a batch holds',
  },
  'epoch-check-off': {
    breaks: 'The emit statement writes by the index that its process has, whatever triggers were created since.',
    guarantees: ['G2'],
    faults: [],
    on: ['emitter', 'dispatcher'],
    seenAs: ['lost', 'uncalled'],
    needs: 'triggers that another process creates while events that match them are emitted: rows are missing',
  },
  'note-off': {
    breaks: 'No claim note is written, so that nobody learns of runs that a death interrupted, and nobody is charged.',
    guarantees: ['G7'],
    faults: ['sigkill-in-handler', 'sigkill-after-note', 'sigkill-after-effect'],
    on: ['dispatcher'],
    seenAs: ['attempt-twice'],
    needs: 'a SIGKILL while handlers of batches run: the same attempt starts twice',
  },
  'app-id-left-out': {
    breaks: "An app's matching index is loaded with the triggers of all apps, so that its events fire theirs too.",
    guarantees: ['G15'],
    faults: [],
    on: ['emitter', 'dispatcher'],
    seenAs: ['uncalled', 'crossed'],
    needs: 'two apps whose triggers have filters in common: an event is run for triggers that its app does not have',
  },
  'gate-bypassed-by-sync': {
    breaks: 'Requests run without permits, beside as many deliveries as the gate allows.',
    guarantees: ['G8'],
    faults: [],
    on: ['dispatcher'],
    seenAs: ['gate'],
    needs: 'more requests at a time than a process has permits, or than deliveries leave: the gate is exceeded',
  },
  'one-row-in-ten-thousand-dropped': {
    breaks: 'Whoever claims the row whose id is a multiple of the divisor deletes it instead of running it.',
    guarantees: ['G1'],
    faults: [],
    on: ['dispatcher'],
    seenAs: ['lost'],
    needs:
      'rows: one is lost for each divisor of ids, less those of emits that were rolled back. Two divisors, 20,000 rows by default, are enough; of three, one is all but certain',
  },
}
