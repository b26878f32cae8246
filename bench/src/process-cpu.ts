/**
 * The processor time of another process and of those below it, from /proc. Linux alone has that; elsewhere, and for a server
 * in another process namespace, there is none.
 */
import { readdirSync, readFileSync } from 'node:fs'

/** The unit of the times in /proc/<pid>/stat: Linux counts in hundredths of a second, whatever its own clock is. */
const NS_PER_TICK = 10_000_000

/** The fields of /proc/<pid>/stat that are asked for. */
export interface ProcessStat {
  readonly command: string
  readonly parent: number
  /** User and kernel time of the process itself, in ticks. */
  readonly ticks: number
  /** The same of its children that have ended and were waited for, and of theirs. */
  readonly endedChildrenTicks: number
}

/** A command may hold blanks and brackets, so the fields are counted from the last bracket on. */
export function parseStat(stat: string): ProcessStat {
  const closing = stat.lastIndexOf(')')
  const fields = stat.slice(closing + 2).split(' ')
  const number = (field: number) => Number(fields[field - 3])
  return {
    command: stat.slice(stat.indexOf('(') + 1, closing),
    parent: number(4),
    ticks: number(14) + number(15),
    endedChildrenTicks: number(16) + number(17),
  }
}

/** What a process, its living children and its ended children have used, in ns; it never grows less. */
export function processTreeCpuNs(pid: number): number {
  const own = readStat(pid)
  if (own === undefined) throw new Error(`process ${pid} is gone`)
  let sum = exactNs(pid, own.ticks) + own.endedChildrenTicks * NS_PER_TICK
  for (const child of childrenOf(pid)) {
    const stat = readStat(child)
    // One that ends between the two looks is counted among the ended from the next reading on.
    if (stat !== undefined) sum += exactNs(child, stat.ticks) + stat.endedChildrenTicks * NS_PER_TICK
  }
  return sum
}

/**
 * The postmaster of a backend: its parent, if it is a process of this machine. Its title names the port that the client
 * connected from, so a process of the same number in another namespace is not taken for it.
 */
export function postmasterOf(backend: number, clientPort: number): number | undefined {
  const stat = readStat(backend)
  if (stat === undefined || !stat.command.startsWith('postgres')) return undefined
  const title = read(`/proc/${backend}/cmdline`)
  if (title?.includes(`(${clientPort})`) !== true) return undefined
  return stat.parent
}

/** The scheduler's own count has nanoseconds; a kernel without it has the ticks. */
function exactNs(pid: number, ticks: number): number {
  const [first] = (read(`/proc/${pid}/schedstat`) ?? '').split(' ')
  return Number(first) || ticks * NS_PER_TICK
}

function childrenOf(pid: number): number[] {
  const listed = read(`/proc/${pid}/task/${pid}/children`)
  if (listed !== undefined) return listed.trim().split(' ').filter(Boolean).map(Number)
  // A kernel without that list: every process is asked for its parent.
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((other) => readStat(other)?.parent === pid)
}

function readStat(pid: number): ProcessStat | undefined {
  const stat = read(`/proc/${pid}/stat`)
  return stat === undefined ? undefined : parseStat(stat)
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // The process is gone, or this is no Linux: there is nothing to be read of it.
    return undefined
  }
}
