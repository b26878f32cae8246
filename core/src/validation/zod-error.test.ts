import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { OutbusError } from '../errors.ts'
import { parseWith } from './zod-error.ts'

const schema = z.strictObject({
  name: z.string(),
  limit: z.int().min(1).max(10).default(5),
  kind: z.enum(['exact', 'prefix']).optional(),
  rules: z.array(z.strictObject({ when: z.string(), priority: z.number().optional() })).default([]),
})

function refusal(input: unknown, path?: string): Partial<OutbusError> {
  try {
    parseWith(schema, input, { code: 'options.invalid', what: 'thing', ...(path === undefined ? {} : { path }) })
  } catch (error) {
    return error as OutbusError
  }
  throw new Error('was accepted')
}

test('what fits comes back with its defaults', () => {
  expect(parseWith(schema, { name: 'a' }, { code: 'options.invalid', what: 'thing' })).toEqual({
    name: 'a',
    limit: 5,
    rules: [],
  })
})

describe('a refusal says', () => {
  test.for<[what: string, input: unknown, refused: Partial<OutbusError>]>([
    ['the path of what is missing', {}, { path: 'name' }],
    ['the limit that was broken', { name: 'a', limit: 11 }, { path: 'limit', limit: 10, received: '11' }],
    ['the least that is allowed', { name: 'a', limit: 0 }, { path: 'limit', limit: 1 }],
    [
      'the nearest known key, before what it explains',
      { nmae: 'a' },
      { path: 'nmae', hint: 'did you mean "name"?', received: 'a' },
    ],
    ['the nearest known value', { name: 'a', kind: 'exakt' }, { path: 'kind', hint: 'did you mean "exact"?' }],
    ['all that is known where nothing is near', { name: 'a', kind: 'no' }, { hint: 'known: exact, prefix' }],
    [
      'the place in an array, and the keys known there',
      { name: 'a', rules: [{ when: 'x' }, { when: 'y', prioriti: 1 }] },
      { path: 'rules[1].prioriti', hint: 'did you mean "priority"?' },
    ],
    ['that the whole is of the wrong kind', null, { path: '', received: 'null' }],
  ])('%s', ([, input, refused]) => {
    expect(refusal(input)).toMatchObject({ code: 'options.invalid', ...refused })
  })

  test('where the value stands in what the caller gave', () => {
    expect(refusal({ name: 1 }, 'filter').path).toBe('filter.name')
  })

  test('that a value cannot be read, when a getter of it throws', () => {
    const hostile = {
      get name(): string {
        throw new Error('no')
      },
    }
    expect(refusal(hostile)).toMatchObject({ code: 'options.invalid' })
  })

  test('the code and the limit of a refinement that has its own', () => {
    const own = z.string().superRefine((_value, { addIssue }) => {
      addIssue({ code: 'custom', message: 'too long', params: { code: 'event.key_too_long', limit: 255 } })
    })
    expect(() => parseWith(own, 'x', { code: 'options.invalid', what: 'key' })).toThrow(
      expect.objectContaining({ code: 'event.key_too_long', limit: 255 }),
    )
  })
})

test('of a union the branch that came closest speaks', () => {
  const either = z.union([z.strictObject({ all: z.literal(true) }), z.strictObject({ source: z.string() })])
  expect(() => parseWith(either, { source: 1 }, { code: 'options.invalid', what: 'selection' })).toThrow(
    expect.objectContaining({ path: 'source' }),
  )
})
