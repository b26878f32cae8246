/**
 * How the bus reads and writes values in each of its statements (G21).
 *
 * `pg` reads rows by a table for the whole process, which an application may change: `parseInt8` alone made a lease
 * keeper take its own leases for lost. So each statement of the bus and its plugins brings this table.
 */
import { isDate } from 'node:util/types'
import { parse as parseArray } from 'postgres-array'
import { UnreadableAnswer } from './postgres-errors.ts'

type Read = (text: string) => unknown

const asSent: Read = (text) => text
const toBoolean: Read = (text) => text === 't'

/** By Postgres's object ids. All other types are read as text. */
const SCALARS: readonly (readonly [oid: number, arrayOid: number, read: Read])[] = [
  [16, 1000, toBoolean], // boolean
  [17, 1001, toBytes], // bytea
  [20, 1016, asSent], // bigint: not exact as a number
  [21, 1005, Number], // smallint
  [23, 1007, Number], // integer
  [26, 1028, Number], // oid
  [700, 1021, Number], // real
  [701, 1022, Number], // double precision
  [1700, 1231, asSent], // numeric: as bigint
  [18, 1002, asSent], // "char"
  [19, 1003, asSent], // name
  [25, 1009, asSent], // text
  [1042, 1014, asSent], // character
  [1043, 1015, asSent], // character varying
  [2950, 2951, asSent], // uuid
  [114, 199, JSON.parse], // json
  [3802, 3807, JSON.parse], // jsonb
  [1082, 1182, toDate], // date: its midnight in this process's zone
  [1114, 1115, toDate], // timestamp: in this process's zone
  [1184, 1185, toDate], // timestamp with time zone
]

const READS: ReadonlyMap<number, Read> = new Map(
  SCALARS.flatMap(([oid, arrayOid, read]) => [
    [oid, read] as const,
    [arrayOid, (text: string) => parseArray(text, read)] as const,
  ]),
)

/** For a query's `types`. The bus sends nothing in binary. */
export const OWN_TYPES = { getTypeParser: (oid: number): Read => READS.get(oid) ?? asSent }

/** Reads every value as text. */
export const TEXTS = { getTypeParser: (): Read => asSent }

/** Whether the query is the bus's: an application cannot reach these types. */
export function isBusQuery(query: unknown): boolean {
  const { types } = (query ?? {}) as { readonly types?: unknown }
  return types === OWN_TYPES || types === TEXTS
}

/** ISO 8601, to which the bus sets `datestyle`. */
const DATE_AND_TIME =
  /^(\d{4,})-(\d\d)-(\d\d)(?: (\d\d):(\d\d):(\d\d(?:\.\d+)?)(?:([+-])(\d\d)(?::(\d\d)(?::(\d\d))?)?)?)?( BC)?$/

/** The farthest time of a `Date`, in ms since 1970. Postgres goes 18,000 years further. */
const FARTHEST_MS = 8_640_000_000_000_000

/**
 * Times beyond the range of a `Date` become the farthest one. `pg` gives a number or an invalid date, which throws when
 * it is formatted. One such row would end a loop over the rows of all apps.
 */
function toDate(text: string): Date {
  if (text === 'infinity') return new Date(FARTHEST_MS)
  if (text === '-infinity') return new Date(-FARTHEST_MS)
  const date = toAnyDate(text)
  if (!Number.isNaN(date.getTime())) return date
  return new Date(text.endsWith(' BC') ? -FARTHEST_MS : FARTHEST_MS)
}

function toAnyDate(text: string): Date {
  const parts = DATE_AND_TIME.exec(text)
  if (parts === null) throw new UnreadableAnswer(`a time that is not ISO 8601: ${text}`)
  const [, years, months, days, hours = '0', minutes = '0', seconds = '0', sign, ...offset] = parts
  const year = offset[3] === undefined ? Number(years) : 1 - Number(years)
  // Postgres counts microseconds, and 1.001 times a thousand is less than 1,001.
  const ms = Math.floor(Math.round(Number(seconds) * 1_000_000) / 1_000)
  const date = new Date(0)
  if (sign === undefined) {
    date.setFullYear(year, Number(months) - 1, Number(days))
    date.setHours(Number(hours), Number(minutes), 0, ms)
    return date
  }
  date.setUTCFullYear(year, Number(months) - 1, Number(days))
  date.setUTCHours(Number(hours), Number(minutes), 0, ms)
  const [offsetHours, offsetMinutes, offsetSeconds] = offset.map((part) => Number(part ?? 0)) as [
    number,
    number,
    number,
  ]
  const offsetMs = ((offsetHours * 60 + offsetMinutes) * 60 + offsetSeconds) * 1_000
  date.setTime(date.getTime() - (sign === '+' ? offsetMs : -offsetMs))
  return date
}

const ESCAPED = /\\(?:(\\)|([0-3][0-7]{2}))/g

/** Reads the formats `hex` and `escape`. */
function toBytes(text: string): Buffer {
  if (text.startsWith('\\x')) return Buffer.from(text.slice(2), 'hex')
  const unescaped = text.replace(ESCAPED, (_, backslash: string | undefined, octal: string) =>
    backslash === undefined ? String.fromCharCode(Number.parseInt(octal, 8)) : '\\',
  )
  return Buffer.from(unescaped, 'latin1')
}

/**
 * A parameter as text, whatever the process's settings. Bytes, and objects that are neither date nor array, are left to
 * `pg`, which sends them as they are and as JSON.
 */
export function parameterOf(value: unknown): unknown {
  if (value === null || value === undefined) return null
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return String(value)
  if (Array.isArray(value)) return arrayOf(value)
  return isDate(value) ? textOf(value) : value
}

function arrayOf(elements: readonly unknown[]): string {
  const texts = elements.map((element) => {
    if (Array.isArray(element)) return arrayOf(element)
    const one = parameterOf(element)
    if (one === null) return 'NULL'
    if (ArrayBuffer.isView(one))
      return `"\\\\x${Buffer.from(one.buffer, one.byteOffset, one.byteLength).toString('hex')}"`
    const text = typeof one === 'string' ? one : JSON.stringify(one)
    return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
  })
  return `{${texts.join(',')}}`
}

const digits = (value: number, count: number) => String(value).padStart(count, '0')

/**
 * Local time with its offset, so that a column without a zone holds what `toDate` reads. The offset is exact to the
 * second: 19th-century ones were no whole minutes.
 */
function textOf(date: Date): string {
  const year = date.getFullYear()
  const local = new Date(0)
  local.setUTCFullYear(year, date.getMonth(), date.getDate())
  local.setUTCHours(date.getHours(), date.getMinutes(), date.getSeconds(), date.getMilliseconds())
  const offset = Math.round((local.getTime() - date.getTime()) / 1_000)
  const day = `${digits(year < 1 ? 1 - year : year, 4)}-${digits(date.getMonth() + 1, 2)}-${digits(date.getDate(), 2)}`
  const time = `${timeOf(date.getHours() * 3_600 + date.getMinutes() * 60 + date.getSeconds())}.${digits(date.getMilliseconds(), 3)}`
  return `${day} ${time}${offset < 0 ? '-' : '+'}${timeOf(Math.abs(offset))}${year < 1 ? ' BC' : ''}`
}

function timeOf(seconds: number): string {
  return [seconds / 3_600, (seconds / 60) % 60, seconds % 60].map((part) => digits(Math.trunc(part), 2)).join(':')
}
