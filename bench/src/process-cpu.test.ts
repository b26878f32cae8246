import { expect, test } from 'vitest'
import { parseStat, postmasterOf } from './process-cpu.ts'

test('a process that calls itself what looks like fields is read all the same', () => {
  const stat = '4242 (postgres: a) b (c) S 17 4242 4242 0 -1 4194560 1 2 3 4 150 50 30 20 20 0 1 0 24 1 1'
  expect(parseStat(stat)).toEqual({ command: 'postgres: a) b (c', parent: 17, ticks: 200, endedChildrenTicks: 50 })
})

test('a process that is no backend of ours is nobody’s postmaster: its number may be one of another namespace', () => {
  expect(postmasterOf(process.pid, 5_432)).toBeUndefined()
  expect(postmasterOf(2 ** 22 + 1, 5_432)).toBeUndefined()
})
