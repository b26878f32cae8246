import type pg from 'pg'
import { expect, test } from 'vitest'
import type { SharedWrite } from '../contract/source.ts'
import { OutbusError } from '../errors.ts'
import type { DatabaseCalls } from '../postgres/database-calls.ts'
import type { Sql } from '../postgres/statement.ts'
import { writeStatement } from '../sql/emit/write-statement.ts'
import { EmitQueue } from './emit-queue.ts'
import type { Emitter } from './emitter.ts'
import type { GroupedWrites, Waiting } from './group-commit.ts'
import { GroupCommit, LEFT_OUT } from './group-commit.ts'
import type { PreparedEvent } from './prepare.ts'
import { SharedWrites } from './shared-writes.ts'

type Call = Waiting<string, string>

const LOCKED = new OutbusError('database.refused', 'locked', { sqlState: '55P03' })
const REFUSED = new OutbusError('quota.exceeded', 'refused')

const callsOn = (borrow: DatabaseCalls['borrow']) =>
  ({
    borrow,
    giveBack: () => undefined,
    during: (_stage: string, _on: object, work: () => unknown) => work(),
  }) as unknown as DatabaseCalls

/** A line of texts. What `write` is handed is written down; it answers with the text, or throws. */
function setUp({
  write = () => undefined,
  unlocked = async (text) => text,
  overQuota = () => false,
  refusedAtOnce = () => undefined,
  grouped = true,
}: {
  readonly write?: (group: readonly string[]) => Promise<void> | void
  readonly unlocked?: GroupedWrites<string, string>['writeOnceUnlocked']
  readonly overQuota?: (text: string) => boolean
  readonly refusedAtOnce?: (text: string) => OutbusError | undefined
  readonly grouped?: boolean
} = {}) {
  const groups: (readonly string[])[] = []
  const writes: GroupedWrites<string, string> = {
    next: (waiting, beside) => {
      const isBeside = (call: Call) => [...beside].some((other) => other.write === call.write)
      return { group: waiting.filter((call) => !isBeside(call)), later: waiting.filter(isBeside) }
    },
    write: async (group) => {
      const texts = group.map((call) => call.write)
      groups.push(texts)
      await write(texts)
      return texts.map((text) => (text === 'left out' && texts.length > 1 ? LEFT_OUT : text))
    },
    isOverQuota: overQuota,
    refusedAtOnce,
    writeOnceUnlocked: unlocked,
  }
  const line = new GroupCommit(writes, { calls: callsOn((work) => work({} as pg.PoolClient)), groups: grouped })
  return { line, groups }
}

test('what arrives while a group is in flight shares the next one', async () => {
  const first = Promise.withResolvers<void>()
  const { line, groups } = setUp({ write: ([text]) => (text === 'a' ? first.promise : undefined) })
  const a = line.add('a')
  await new Promise((resolve) => setImmediate(resolve))
  const rest = [line.add('b'), line.add('c')]
  first.resolve()
  expect(await Promise.all([a, ...rest])).toEqual(['a', 'b', 'c'])
  expect(groups).toEqual([['a'], ['b', 'c']])
})

test('without groups, each goes by itself and waits for no other', async () => {
  const first = Promise.withResolvers<void>()
  const { line, groups } = setUp({ write: ([text]) => (text === 'a' ? first.promise : undefined), grouped: false })
  const a = line.add('a')
  expect(await Promise.all([line.add('b'), line.add('c')])).toEqual(['b', 'c'])
  const settled = line.settled()
  first.resolve()
  expect(await a).toBe('a')
  await settled
  expect(groups).toEqual([['a'], ['b'], ['c']])
})

test('a refused group is redone one by one, and one alone fails', async () => {
  const { line, groups } = setUp({
    write: (group) => {
      if (group.includes('bad')) throw REFUSED
    },
  })
  const answers = await Promise.allSettled(['a', 'bad', 'c'].map((text) => line.add(text)))
  expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  expect(groups).toEqual([['a', 'bad', 'c'], ['a'], ['bad'], ['c']])
})

test('a group whose outcome is unknown is not written again', async () => {
  const unknown = new OutbusError('emit.outcome_unknown', 'lost')
  const { line, groups } = setUp({ write: () => Promise.reject(unknown) })
  const answers = await Promise.allSettled([line.add('a'), line.add('b')])
  expect(answers.map((answer) => answer.status === 'rejected' && answer.reason)).toEqual([unknown, unknown])
  expect(groups).toHaveLength(1)
})

test('one whose lock is held waits beside the line, and another with its key waits for it', async () => {
  const unlocked = Promise.withResolvers<string>()
  let tries = 0
  const { line, groups } = setUp({
    write: (group) => {
      if (group.includes('held') && ++tries <= 2) throw LOCKED
    },
    unlocked: () => unlocked.promise,
  })
  const held = line.add('held')
  expect(await line.add('free')).toBe('free')
  const second = line.add('held')
  expect(await line.add('free')).toBe('free')
  expect(groups).toEqual([['held', 'free'], ['held'], ['free'], ['free']])
  unlocked.resolve('written')
  expect(await held).toBe('written')
  expect(await second).toBe('held')
})

test('those of an app over a quota go one by one beside the line; what is certain is refused from memory', async () => {
  const { line, groups } = setUp({
    overQuota: (text) => text.startsWith('over'),
    refusedAtOnce: (text) => (text === 'over 2' ? REFUSED : undefined),
  })
  const answers = await Promise.allSettled(['a', 'over 1', 'over 2', 'over 3', 'b'].map((text) => line.add(text)))
  expect(groups).toEqual([['a', 'b'], ['over 1'], ['over 3']])
  expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled', 'fulfilled'])
})

test('one that a group left out is written by itself', async () => {
  const { line, groups } = setUp()
  expect(await Promise.all([line.add('a'), line.add('left out')])).toEqual(['a', 'left out'])
  expect(groups).toEqual([['a', 'left out'], ['left out']])
})

test('a stop whose grace ends refuses what waits, pauses or is over a quota, and awaits nothing more', async () => {
  const over = new AbortController()
  const { line } = setUp({
    write: (group) => {
      if (group.includes('held')) throw LOCKED
      return group.includes('free') ? undefined : new Promise(() => undefined)
    },
    unlocked: async (text, _error, pause) => {
      await pause(100_000)
      return text
    },
    overQuota: (text) => text.startsWith('over'),
  })
  line.endWith(over.signal)
  const turn = () => new Promise((resolve) => setImmediate(resolve))
  const held = line.add('held')
  await line.add('free')
  void line.add('over 1, in flight')
  const overQuota = line.add('over 2')
  await turn()
  void line.add('in flight')
  await turn()
  const refused = Promise.allSettled([held, overQuota, line.add('waits'), line.add('over 3')])
  const settled = line.settled()
  over.abort()
  await settled
  const stopped = { status: 'rejected', reason: expect.objectContaining({ code: 'bus.stopped' }) as unknown }
  expect(await refused).toEqual([stopped, stopped, stopped, stopped])
})

const emitter = { isOverQuota: () => false, load: () => undefined } as unknown as Emitter
/** The connection never comes. */
const calls = callsOn(() => new Promise(() => undefined))

test.for([
  [
    'emits',
    () => {
      const queue = new EmitQueue({ emitter, calls, lend: () => undefined, groups: true, onWritten: () => undefined })
      const event = { app: 'shop', dedupeKey: null } as unknown as PreparedEvent
      return { line: queue, add: () => queue.emit([event]) }
    },
  ],
  [
    'shared writes',
    () => {
      const writes = new SharedWrites({
        sql: {} as Sql,
        emitter,
        calls,
        redactionOf: () => undefined,
        groups: true,
        atOnce: true,
        onWritten: () => undefined,
      })
      const statement = writeStatement('w', { ctes: 'w as (insert … where {current})', rows: 'select' })
      const write: SharedWrite<unknown> = { statement, parameters: () => [], generated: [] }
      const event = { app: 'shop', source: { name: 's' } } as unknown as PreparedEvent
      return {
        line: writes,
        add: (key: number) => writes.write(write, { item: 0, key: `${key}`, event, stated: '{}' }),
      }
    },
  ],
] as const)('a stop whose grace ends refuses the %s that wait for the group in flight', async ([, setUpLine]) => {
  const { line, add } = setUpLine()
  const over = new AbortController()
  line.endWith(over.signal)
  void add(1)
  await new Promise((resolve) => setImmediate(resolve))
  const waiting = add(2)
  const settled = line.settled()
  over.abort()
  await expect(waiting).rejects.toMatchObject({ code: 'bus.stopped' })
  await settled
})
