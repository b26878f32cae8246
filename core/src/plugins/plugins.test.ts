import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { Plugins } from './plugins.ts'
import { defineSource } from '../contract/source.ts'
import { defineTarget } from '../contract/target.ts'

const source = (name: string) =>
  defineSource({
    name,
    version: 1,
    events: { said: z.strictObject({}) },
    filter: z.strictObject({}),
    keys: () => [],
    keysOf: () => [],
    matches: () => true,
    serialize: () => null,
    api: () => ({}),
  })
const target = (type: string) => defineTarget({ type, config: z.strictObject({}), run: () => {} })

test('a plugin is found by its name; an unknown one is refused with the nearest', () => {
  const plugins = new Plugins([source('kv'), source('docs')], [target('webhook')])
  expect(plugins.source('kv').name).toBe('kv')
  expect(() => plugins.source('doc')).toThrow(
    expect.objectContaining({ code: 'source.unknown', hint: 'did you mean "docs"?' }),
  )
  expect(() => plugins.target('webhok')).toThrow(
    expect.objectContaining({ code: 'target.unknown', hint: 'did you mean "webhook"?' }),
  )
})

describe('refused at start, by name', () => {
  const broken = (part: object) => [{ ...source('mine'), ...part }] as never
  test.for<[what: string, sources: never, error: object]>([
    ['two of one name', [source('mine'), source('mine')] as never, { code: 'plugin.duplicate_name' }],
    ['a reserved name', broken({ name: 'emit' }), { code: 'plugin.reserved_name' }],
    ['a name in capitals', broken({ name: 'Mine' }), { code: 'plugin.invalid', path: 'name' }],
    ['no name', broken({ name: undefined }), { code: 'plugin.invalid', path: 'name' }],
    ['no matcher', broken({ matches: undefined }), { code: 'plugin.invalid', path: 'matches' }],
    ['no filter', broken({ filter: {} }), { code: 'plugin.invalid', path: 'filter' }],
    ['no events', broken({ events: {} }), { code: 'plugin.invalid', path: 'events' }],
    ['an event without a schema', broken({ events: { said: {} } }), { code: 'plugin.invalid', path: 'events.said' }],
    ['an op of its own that is none', broken({ ownOps: ['nope'] }), { code: 'plugin.invalid', path: 'ownOps' }],
    ['ops of its own that are no list', broken({ ownOps: 'said' }), { code: 'plugin.invalid', path: 'ownOps' }],
    ['version 0', broken({ version: 0 }), { code: 'plugin.invalid', path: 'version' }],
    ['a folder that is no URL', broken({ migrations: './sql' }), { code: 'plugin.invalid', path: 'migrations' }],
    ['nothing at all', [null] as never, { code: 'plugin.invalid' }],
    [
      'written for another contract',
      broken({ apiVersion: 2 }),
      { code: 'plugin.api_version', message: expect.stringMatching(/"mine".*version 2.*version 1/) },
    ],
    [
      'a member that is misspelt',
      broken({ orderinKey: () => '' }),
      { code: 'plugin.invalid', path: 'orderinKey', hint: 'did you mean "orderingKey"?' },
    ],
  ])('%s', ([, sources, error]) => {
    expect(() => new Plugins(sources, [])).toThrow(expect.objectContaining(error))
  })

  test('a target that cannot run', () => {
    expect(() => new Plugins([], [{ ...target('mine'), run: undefined } as never])).toThrow(
      expect.objectContaining({ code: 'plugin.invalid', path: 'run', message: expect.stringContaining('"mine"') }),
    )
  })
})
