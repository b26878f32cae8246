/** Where a lane's rows come from. */
import { performance } from '../../time/clock.ts'
import type { ClaimedTexts } from '../../sql/claim/claim-batch.ts'
import { CLAIMED_COLUMNS, claimBatch, claimSized, DUE_S } from '../../sql/claim/claim-batch.ts'
import {
  claimOrdered,
  claimOrderedDue,
  claimOrderedNear,
  HAS_LINES,
  LAST_FOUND,
  LAST_KEY,
  LAST_TRIGGER,
  LAST_VISITED,
  NEAR_LINES,
  NEAR_SEEN,
  SAW_ALL_DUE,
} from '../../sql/claim/claim-ordered.ts'
import type { LaneConnection } from './lane-connection.ts'
import { OutboxRow } from '../run/outbox-row.ts'
import type { Portion } from './portions.ts'
import { WHOLE } from './portions.ts'
import type { Switches } from '../../switches/switches.ts'
import { Watermark } from './watermark.ts'
import { WholeLooks } from '../../wake/whole-looks.ts'

const EVENT = CLAIMED_COLUMNS.indexOf('event')

export interface DueRows {
  /** Begins a transaction and claims up to `rows`. Empty: nothing is due, and the transaction has ended. */
  claim(connection: LaneConnection, rows: number, bytes: number): Promise<OutboxRow[]>
  /** Called when rows came back to where the lane has looked already. */
  lookAgain(): void
}

/** Where rows in batches begin, by level, lowest first, in seconds since 1970. */
export interface LevelStarts {
  readonly levels: readonly [low: number, normal: number, high: number]
}

/** How many claims sum up the sizes of events, once one event was too large. */
const SIZED_CLAIMS = 50

/**
 * How often a lane looks at the whole backlog: a dispatcher that died or is busy may have left its portion. Many lanes
 * each look less often, since each looks for all.
 */
const WHOLE_EVERY_MS = 25
const LANES_THAT_LOOK_SO_OFTEN = 4

/** Rows by priority and due time; of a backlog, the lane's portion. */
export class UnorderedRows implements DueRows {
  readonly #watermark: Watermark
  readonly #portion: () => Portion
  #sizedClaims: number
  #isBacklog = false
  #wholeAt = 0

  constructor(
    portion: () => Portion,
    starts: LevelStarts,
    { watermark, unsummedSizes }: Pick<Switches, 'watermark' | 'unsummedSizes'>,
  ) {
    this.#portion = portion
    this.#watermark = new Watermark(() => starts.levels, watermark)
    this.#sizedClaims = unsummedSizes ? 0 : Infinity
  }

  /** After an empty claim: in how many ms rows below the watermark may be looked for; 0 if that claim did. */
  get fullInMs(): number {
    return this.#watermark.isSet ? this.#watermark.fullInMs(performance.now()) : 0
  }

  async claim(connection: LaneConnection, limit: number, bytes: number): Promise<OutboxRow[]> {
    const startedAt = performance.now()
    const { levels, full } = this.#watermark.next(startedAt)
    const [low, normal, high] = levels as [number, number, number]
    const portion = this.#portion()
    const wholeEveryMs = WHOLE_EVERY_MS * Math.max(1, portion.of / LANES_THAT_LOOK_SO_OFTEN)
    const whole = !this.#isBacklog || (full && startedAt - this.#wholeAt >= wholeEveryMs)
    if (whole) this.#wholeAt = startedAt
    const { of, mine } = whole ? WHOLE : portion
    const sized = this.#sizedClaims > 0
    const raw = sized
      ? await connection.claim(claimSized, [limit, high, normal, low, bytes, of, mine])
      : await connection.claim(claimBatch, [limit, high, normal, low, Math.floor(bytes / limit), of, mine])
    this.#isBacklog = raw.length === limit
    this.#watermark.scanned(performance.now() - startedAt, full)
    const rows = this.#read(raw)
    if (sized) this.#sizedClaims--
    else if (rows.length < raw.length) {
      // The large rows stay locked until this claim ends.
      this.#sizedClaims = SIZED_CLAIMS
      this.lookAgain()
    }
    if (rows.length > 0) return rows
    await connection.commit(() => [])
    // Only a look at the whole from the start shows that nothing is due. While such looks are slow, it waits for its
    // turn.
    if (raw.length === 0 && whole && (full || this.fullInMs > 0)) return rows
    if (this.fullInMs === 0) this.lookAgain()
    return this.claim(connection, limit, bytes)
  }

  lookAgain(): void {
    this.#watermark.reset(performance.now())
  }

  #read(raw: readonly ClaimedTexts[]): OutboxRow[] {
    const rows: OutboxRow[] = []
    for (const texts of raw) {
      if (texts[EVENT] === null) continue
      const row = new OutboxRow(texts)
      rows.push(row)
      const dueS = texts[DUE_S] ?? null
      if (dueS !== null) this.#watermark.claimed(row.priority, Number(dueS))
    }
    return rows
  }
}

interface Line {
  readonly trigger: string
  readonly key: string
}

const FIRST_LINE: Line = { trigger: '00000000-0000-0000-0000-000000000000', key: '' }
/** Keys that one step of the walk looks at. */
const VISITS = 2_000

/** Walks that find nothing take at most one part in this many of the time. */
const WALK_SHARE = 4

/**
 * Claims the first row of each ordering key, by due time within each app. If an app has too many due rows, every second
 * look is a step of a walk over all keys. So rows that cannot run delay others by one step at most.
 */
export class OrderedRows implements DueRows {
  readonly #starts: { readonly ordered: number | undefined }
  readonly #wholeLooks = new WholeLooks()
  #after = FIRST_LINE
  #lines = false
  /** The last look left due rows out. */
  #walksNext = false
  #walkAtMs = 0

  constructor(starts: { readonly ordered: number | undefined }) {
    this.#starts = starts
  }

  /** Whether the last claim saw a line, due or not. A retry, or the death of a holder, may make a first row due. */
  get hasLines(): boolean {
    return this.#lines
  }

  async claim(connection: LaneConnection, limit: number, bytes: number): Promise<OutboxRow[]> {
    const from = this.#starts.ordered
    if (from !== undefined && !this.#wholeLooks.isDue) {
      const near = await this.#claimNear(connection, limit, bytes, from)
      if (near !== undefined) return near
    }
    return this.#wholeLooks.during(() => this.#claimOfAll(connection, limit, bytes))
  }

  /** Undefined: none of those seen can be claimed, and there are more. */
  async #claimNear(
    connection: LaneConnection,
    limit: number,
    bytes: number,
    from: number,
  ): Promise<OutboxRow[] | undefined> {
    const raw = await connection.claim(claimOrderedNear, [limit, from, bytes])
    const seen = Number(raw[0]?.[NEAR_SEEN] ?? 0)
    this.#lines = seen > 0
    const rows = rowsOf(raw)
    if (rows.length > 0) return rows
    await connection.commit(() => [])
    return seen < NEAR_LINES ? rows : undefined
  }

  async #claimOfAll(connection: LaneConnection, limit: number, bytes: number): Promise<OutboxRow[]> {
    // A walk that does not begin at the first line needs a second round to see all.
    let endsToSee = this.#after === FIRST_LINE ? 1 : 2
    const startedAtMs = performance.now()
    for (;;) {
      if (!this.#walksNext) {
        const { rows, all } = await this.#claimDue(connection, limit, bytes)
        this.#walksNext = !all && performance.now() >= this.#walkAtMs
        if (rows.length > 0) return rows
        await connection.commit(() => [])
        if (!this.#walksNext) return rows
      }
      this.#walksNext = false
      const { rows, isEnd } = await this.#walk(connection, limit, bytes)
      if (rows.length > 0) return rows
      await connection.commit(() => [])
      if (!isEnd || --endsToSee > 0) continue
      const endedAtMs = performance.now()
      this.#walkAtMs = endedAtMs + (endedAtMs - startedAtMs) * (WALK_SHARE - 1)
      return rows
    }
  }

  /** `all`: no due row was left out. */
  async #claimDue(connection: LaneConnection, limit: number, bytes: number) {
    const raw = await connection.claim(claimOrderedDue, [limit, bytes])
    const [first] = raw
    this.#lines = first?.[HAS_LINES] === 't'
    return { rows: rowsOf(raw), all: first?.[SAW_ALL_DUE] === 't' }
  }

  /** `isEnd`: the walk came to the last key, and goes on at the first. */
  async #walk(connection: LaneConnection, limit: number, bytes: number) {
    const { trigger, key } = this.#after
    const raw = await connection.claim(claimOrdered, [limit, trigger, key, VISITS, bytes])
    const [first] = raw
    const stoppedEarly =
      first !== undefined && (Number(first[LAST_VISITED]) === VISITS || Number(first[LAST_FOUND]) === limit)
    this.#after = stoppedEarly ? { trigger: first[LAST_TRIGGER] as string, key: first[LAST_KEY] as string } : FIRST_LINE
    return { rows: rowsOf(raw), isEnd: !stoppedEarly }
  }

  /** Nothing to do: each round looks at every key again. */
  lookAgain(): void {}
}

/** An empty claim has one row, which says how far the look came. */
function rowsOf(raw: readonly ClaimedTexts[]): OutboxRow[] {
  return raw.filter(([id]) => id !== null).map((texts) => new OutboxRow(texts))
}
