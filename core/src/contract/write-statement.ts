/** A source's statement for several items, into which core can put an emit. */
import type { Statement } from './statement.ts'

/** The statement in two parts, between which others can be put. `writeStatement` makes it. */
export interface WriteTexts {
  readonly name: string
  readonly ctes: string
  readonly rows: string
}

/** What the statement answers for one item. */
export interface WrittenRow {
  /** The item's place, from 1. */
  readonly n: string
  /** A JSON object: what is known of the item only once it is written. */
  readonly generated: Readonly<Record<string, unknown>>
}

export interface WriteStatement<Parameters extends readonly unknown[] = readonly unknown[]> extends WriteTexts {
  /** By itself, without an emit. */
  readonly plain: Statement<Parameters, WrittenRow>
}
