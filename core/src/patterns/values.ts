/** Compiles what one entry of a leaf's list says of a value. Pure. */
import { BlockList, isIP } from 'node:net'
import { OutbusError } from '../errors.ts'
import { takeSteps } from './steps.ts'
import type { Interval, ValueTest } from './value-tests.ts'
import { folded, oneOfIntervals } from './value-tests.ts'
import { compileWildcard } from './wildcard.ts'

export function refuse(message: string, path: string, received: unknown): OutbusError {
  return new OutbusError('pattern.invalid', message, { path, received })
}

/** Compiles every operator but `exists`, which is about the field, not its values. */
export function compileOperator(operator: string, operand: unknown, path: string): ValueTest {
  switch (operator) {
    case 'prefix':
      return affix(operand, path, (value, text) => value.startsWith(text))
    case 'suffix':
      return affix(operand, path, (value, text) => value.endsWith(text))
    case 'equals-ignore-case': {
      const text = folded(textOf(operand, path))
      return (value) => typeof value === 'string' && folded(value) === text
    }
    case 'wildcard': {
      const matches = compileWildcard(textOf(operand, path), path)
      return (value) => typeof value === 'string' && matches(value)
    }
    case 'numeric':
      return oneOfIntervals([intervalOf(operand, path)])
    case 'cidr':
      return cidr(operand, path)
    case 'anything-but':
      return anythingBut(operand, path)
    default:
      throw refuse(`${JSON.stringify(operator)} is no operator`, path, operator)
  }
}

function textOf(operand: unknown, path: string): string {
  if (typeof operand === 'string') return operand
  throw refuse('a string is compared with a string', path, operand)
}

function affix(operand: unknown, path: string, has: (value: string, text: string) => boolean): ValueTest {
  if (typeof operand === 'string') return (value) => typeof value === 'string' && has(value, operand)
  const [operator, inner, ...more] = Object.entries(operand ?? {}).flat() as unknown[]
  if (operator !== 'equals-ignore-case' || more.length > 0) {
    throw refuse('takes a string, or { "equals-ignore-case": string }', path, operand)
  }
  const text = folded(textOf(inner, path))
  return (value) => typeof value === 'string' && has(folded(value), text)
}

const COMPARISONS = new Set(['=', '<', '<=', '>', '>='])

/** The numbers that a comparison or a range admits. */
export function intervalOf(operand: unknown, path: string): Interval {
  if (!Array.isArray(operand) || (operand.length !== 2 && operand.length !== 4))
    throw refuse('takes one comparison, or a lower and an upper bound', path, operand)
  const parts = operand as unknown[]
  const compiled: { operator: string; bound: number }[] = []
  for (let i = 0; i < parts.length; i += 2) {
    const operator = parts[i]
    const bound = parts[i + 1]
    if (typeof operator !== 'string' || !COMPARISONS.has(operator))
      throw refuse('compares by one of =, <, <=, >, >=', path, operator)
    if (typeof bound !== 'number' || !Number.isFinite(bound)) throw refuse('compares with a finite number', path, bound)
    compiled.push({ operator, bound })
  }
  const [lower, upper] = compiled as [(typeof compiled)[0], (typeof compiled)[0] | undefined]
  if (upper !== undefined) {
    if (!lower.operator.startsWith('>') || !upper.operator.startsWith('<'))
      throw refuse('a range is a lower bound, then an upper bound', path, operand)
    if (lower.bound >= upper.bound) throw refuse('the lower bound is below the upper bound', path, operand)
  }
  return intervalBetween(compiled)
}

function intervalBetween(comparisons: readonly { readonly operator: string; readonly bound: number }[]): Interval {
  let interval: Interval = { from: -Infinity, to: Infinity, withFrom: true, withTo: true }
  for (const { operator, bound } of comparisons) {
    const isExact = operator.endsWith('=')
    if (operator !== '<' && operator !== '<=') interval = { ...interval, from: bound, withFrom: isExact }
    if (operator !== '>' && operator !== '>=') interval = { ...interval, to: bound, withTo: isExact }
  }
  return interval
}

/** The version 4 addresses of a block, as numbers. Undefined for a version 6 block. */
export function blockOf(operand: unknown, path: string): Interval | undefined {
  const { address, bits, family } = readBlock(operand, path)
  if (family === 6) return undefined
  const size = 2 ** (32 - bits)
  const from = Math.floor((addressOf(address) as number) / size) * size
  return { from, to: from + size, withFrom: true, withTo: false }
}

/** A version 4 address as a number; undefined for anything else. */
function addressOf(value: string): number | undefined {
  if (value.length > 15 || isIP(value) !== 4) return undefined
  return value.split('.').reduce((address, part) => address * 256 + Number(part), 0)
}

function readBlock(operand: unknown, path: string): { address: string; bits: number; family: 4 | 6 } {
  const text = textOf(operand, path)
  const [address = '', bits, ...more] = text.split('/')
  const family = isIP(address)
  const most = family === 4 ? 31 : 127
  if (family === 0 || bits === undefined || more.length > 0 || !/^\d{1,3}$/.test(bits) || Number(bits) > most)
    throw refuse('takes an address block such as "10.0.0.0/24"', path, operand)
  return { address, bits: Number(bits), family: family === 4 ? 4 : 6 }
}

/** What testing a version 6 address costs. */
const STEPS_AN_ADDRESS = 30

function cidr(operand: unknown, path: string): ValueTest {
  const interval = blockOf(operand, path)
  if (interval !== undefined) return oneOfBlocks([interval])
  const { address, bits } = readBlock(operand, path)
  const block = new BlockList()
  block.addSubnet(address, bits, 'ipv6')
  return (value) => {
    if (typeof value !== 'string' || !value.includes(':')) return false
    takeSteps(STEPS_AN_ADDRESS)
    return isIP(value) === 6 && block.check(value, 'ipv6')
  }
}

export function oneOfBlocks(blocks: readonly Interval[]): ValueTest {
  const test = oneOfIntervals(blocks)
  return (value) => {
    const address = typeof value === 'string' ? addressOf(value) : undefined
    return address !== undefined && test(address)
  }
}

function anythingBut(operand: unknown, path: string): ValueTest {
  if (typeof operand === 'string' || Number.isFinite(operand)) return (value) => value !== operand
  if (Array.isArray(operand)) {
    const values = listOf(operand, path)
    return (value) => !values.has(value as string | number)
  }
  if (typeof operand !== 'object' || operand === null) throw refuse('takes strings or numbers', path, operand)
  const entries = Object.entries(operand) as [string, unknown][]
  const [operator, inner] = entries[0] ?? ['', undefined]
  if (entries.length !== 1 || !EXCEPTIONS.has(operator))
    throw refuse('takes one of prefix, suffix, equals-ignore-case, wildcard', path, operand)
  const excepted = (Array.isArray(inner) ? [...listOf(inner, path)] : [inner]).map((one) => {
    if (one === '' && operator !== 'equals-ignore-case' && operator !== 'wildcard')
      throw refuse('of an empty string everything would be an exception', path, operand)
    return compileOperator(operator, one, path)
  })
  return (value) => !excepted.some((test) => test(value))
}

const EXCEPTIONS = new Set(['prefix', 'suffix', 'equals-ignore-case', 'wildcard'])

function listOf(operand: readonly unknown[], path: string): Set<string | number> {
  const kinds = new Set(operand.map((one) => typeof one))
  if (kinds.size === 1 && (kinds.has('string') || operand.every(Number.isFinite)))
    return new Set(operand as (string | number)[])
  throw refuse('takes a list of strings or of numbers, one at least', path, operand)
}
