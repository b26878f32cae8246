/** Listings: keyset pages with an opaque cursor that is good for one listing of one app. */
import { z } from 'zod'
import { isOutbusError, OutbusError } from '../errors.ts'

export interface Page<T> {
  readonly items: readonly T[]
  /** Hand it back as `cursor` for the next page; absent on the last one. */
  readonly nextCursor?: string
}

export interface PageOptions {
  /** Items a page. Default 100; more than 1,000 is capped at 1,000. */
  readonly limit?: number
  /** From an earlier page's `nextCursor`. */
  readonly cursor?: string
}

/** For the options of a listing, beside its own. What is wrong with one of the two is said by `pageLimit` and `decodeCursor`. */
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

/**
 * `listing` names what is listed, for whom and by which filter, so that a cursor cannot be carried into another
 * listing or app.
 */
export function encodeCursor(listing: readonly string[], position: string): string {
  return Buffer.from(JSON.stringify([...listing, position])).toString('base64url')
}

/** The position, if the cursor is one of this listing and `assertPosition` does not throw of it; else `page.cursor`. */
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

/** Of a position, in characters. */
const MAX_POSITION = 1_024
/** In JSON a character is six at most, and in base64 four thirds of that. */
const WRITTEN_OUT = 8

/** More than any cursor of the listing has. A longer one is not decoded: it may be half a gigabyte. */
function longest(listing: readonly string[]): number {
  return WRITTEN_OUT * listing.reduce((characters, part) => characters + part.length + 8, MAX_POSITION)
}

function passes(assertPosition: (position: string) => unknown, position: string): boolean {
  try {
    assertPosition(position)
    return true
  } catch (error) {
    // Hand-made: the caller hears that the cursor is none of ours, not what is wrong inside it.
    if (isOutbusError(error)) return false
    throw error
  }
}

function readCursor(cursor: string): string[] | undefined {
  try {
    const bytes = Buffer.from(cursor, 'base64url')
    // The decoder passes over what is no base64, and over bits that are left at the end.
    if (bytes.toString('base64url') !== cursor) return undefined
    const parts: unknown = JSON.parse(bytes.toString())
    return Array.isArray(parts) && parts.every((part) => typeof part === 'string') ? parts : undefined
  } catch {
    // Not JSON, so not one of ours: the caller is told so in one error.
    return undefined
  }
}

/** Cuts the extra row that was asked for to know whether there is a next page. */
export function toPage<T>(rows: readonly T[], limit: number, cursorOf: (last: T) => string): Page<T> {
  if (rows.length <= limit) return { items: rows }
  const items = rows.slice(0, limit)
  return { items, nextCursor: cursorOf(items[limit - 1] as T) }
}
