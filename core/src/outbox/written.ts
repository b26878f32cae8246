/** What an emit has written. */
import type { EmitResult } from '../contract/emit-options.ts'

/** Lanes, other than those of batches, that rows were written for. Whoever commits the rows then wakes them. */
export interface WrittenFor {
  readonly ordered: boolean
  readonly single: boolean
}

export interface Written {
  /** One result stands for each event, in their order. */
  readonly results: EmitResult[]
  readonly lanes: WrittenFor
}

export const NO_LANES: WrittenFor = { ordered: false, single: false }

export function bothLanes(one: WrittenFor, other: WrittenFor): WrittenFor {
  return { ordered: one.ordered || other.ordered, single: one.single || other.single }
}
