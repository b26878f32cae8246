/** Keyset pages, with an opaque cursor for one listing of one app. */
import { z } from 'zod'
import { isOutbusError, OutbusError } from '../errors.ts'

export interface Page<T> {
  readonly items: readonly T[]
  /** The `cursor` of the next page; absent on the last one. */
  readonly nextCursor?: string
}

export interface PageOptions {
  /** Items a page. Default 100; more than 1,000 is capped at 1,000. */
  readonly limit?: number
  /** From an earlier page's `nextCursor`. */
  readonly cursor?: string
}

/** For the options of a listing. `pageLimit` and `decodeCursor` refuse what is wrong. */
export const pageSchema = { limit: z.unknown().optional(), cursor: z.unknown().optional() }

const DEFAULT_LIMIT = 100
const MAX_LIMIT = 1_000

export function pageLimit(limit: unknown): number {
  if (limit === undefined) return DEFAULT_LIMIT
  if (typeof limit !== 'number' || !Number.isInteger(limit) || limit < 1) {
    throw new OutbusError('page.limit', 'a page limit is a whole number from 1', {
      path: 'limit',
      received: limit,
      limit: MAX_LIMIT,
    })
  }
  return Math.min(limit, MAX_LIMIT)
}

/** `listing` names what is listed, for whom and by which filter, so that a cursor fits no other listing or app. */
export function encodeCursor(listing: readonly string[], position: string): string {
  return Buffer.from(JSON.stringify([...listing, position])).toString('base64url')
}

/** The position, or `page.cursor` if the cursor is not of this listing or `assertPosition` throws. */
export function decodeCursor(
  listing: readonly string[],
  cursor: unknown,
  assertPosition: (position: string) => unknown,
): string | undefined {
  if (cursor === undefined) return undefined
  const parts = typeof cursor === 'string' && cursor.length <= longest(listing) ? readCursor(cursor) : undefined
  const position = parts?.at(-1)
  if (
    parts === undefined ||
    position === undefined ||
    parts.length !== listing.length + 1 ||
    listing.some((part, i) => parts[i] !== part) ||
    !passes(assertPosition, position)
  ) {
    throw new OutbusError('page.cursor', 'the cursor does not belong to this listing', {
      path: 'cursor',
      received: cursor,
      hint: 'pass the nextCursor of the page before, with the same app and filter',
    })
  }
  return position
}

const MAX_POSITION = 1_024
/** A character has at most six in JSON, and four thirds of that in base64. */
const WRITTEN_OUT = 8

/** Longer than any cursor of the listing. A longer one may be half a gigabyte, and is not decoded. */
function longest(listing: readonly string[]): number {
  return WRITTEN_OUT * listing.reduce((characters, part) => characters + part.length + 8, MAX_POSITION)
}

function passes(assertPosition: (position: string) => unknown, position: string): boolean {
  try {
    assertPosition(position)
    return true
  } catch (error) {
    // A hand-made cursor: the caller hears that it is not ours, not what is wrong inside.
    if (isOutbusError(error)) return false
    throw error
  }
}

function readCursor(cursor: string): string[] | undefined {
  try {
    const bytes = Buffer.from(cursor, 'base64url')
    // The decoder ignores what is no base64, and bits left at the end.
    if (bytes.toString('base64url') !== cursor) return undefined
    const parts: unknown = JSON.parse(bytes.toString())
    return Array.isArray(parts) && parts.every((part) => typeof part === 'string') ? parts : undefined
  } catch {
    // Not JSON, so not one of ours: the same error.
    return undefined
  }
}

/** Cuts the extra row, which only says whether there is a next page. */
export function toPage<T>(rows: readonly T[], limit: number, cursorOf: (last: T) => string): Page<T> {
  if (rows.length <= limit) return { items: rows }
  const items = rows.slice(0, limit)
  return { items, nextCursor: cursorOf(items[limit - 1] as T) }
}
