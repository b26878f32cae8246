import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { Plugins } from './plugins.ts'
import { definePlugin } from '../contract/plugin.ts'
import type { AnyPlugin } from '../contract/plugin.ts'
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

test('a source or target is found by its name; an unknown one is refused with the nearest', () => {
  const plugins = new Plugins([
    definePlugin({ name: 'stores', sources: [source('kv'), source('docs')] }),
    definePlugin({ name: 'sends', targets: [target('webhook')] }),
  ])
  expect(plugins.source('kv').name).toBe('kv')
  expect(() => plugins.source('doc')).toThrow(
    expect.objectContaining({ code: 'source.unknown', hint: 'did you mean "docs"?' }),
  )
  expect(() => plugins.target('webhok')).toThrow(
    expect.objectContaining({ code: 'target.unknown', hint: 'did you mean "webhook"?' }),
  )
})

describe('refused at start, by name', () => {
  const broken = (part: object) => [{ name: 'mine', sources: [{ ...source('mine'), ...part }] }] as never
  const plugin = (part: object) => [{ name: 'mine', sources: [source('mine')], ...part }] as never
  test.for<[what: string, plugins: readonly AnyPlugin[], error: object]>([
    [
      'two sources of one name',
      [definePlugin({ name: 'mine', sources: [source('mine'), source('mine')] })],
      {
        code: 'plugin.duplicate_name',
        message: expect.stringContaining('two sources are named "mine": plugin "mine"'),
      },
    ],
    [
      'one source in two plugins',
      [definePlugin({ name: 'a', sources: [source('mine')] }), definePlugin({ name: 'b', sources: [source('mine')] })],
      {
        code: 'plugin.duplicate_name',
        message: expect.stringContaining('two sources are named "mine": plugin "a" and plugin "b"'),
      },
    ],
    [
      "a target of core's own type",
      [definePlugin({ name: 'mine', targets: [target('function')] })],
      {
        code: 'plugin.duplicate_name',
        message: expect.stringContaining('two targets are named "function": core and plugin "mine"'),
      },
    ],
    [
      'two plugins of one name',
      [definePlugin({ name: 'mine', sources: [] }), definePlugin({ name: 'mine', targets: [] })],
      {
        code: 'plugin.duplicate_name',
        message: expect.stringContaining('two plugins are named "mine": plugin "mine"'),
      },
    ],
    ['a plugin without a name', plugin({ name: undefined }), { code: 'plugin.invalid', path: 'name' }],
    ['sources that are no list', plugin({ sources: source('mine') }), { code: 'plugin.invalid', path: 'sources' }],
    ['a start that is no function', plugin({ start: {} }), { code: 'plugin.invalid', path: 'start' }],
    ['a folder of migrations', plugin({ migrations: './sql' }), { code: 'plugin.invalid', path: 'migrations' }],
    ['keys without keysOf', broken({ keysOf: undefined }), { code: 'plugin.invalid', path: 'keysOf' }],
    ['keysOf without keys', broken({ keys: undefined }), { code: 'plugin.invalid', path: 'keys' }],
    ['a reserved name', broken({ name: 'emit' }), { code: 'plugin.reserved_name' }],
    ['a name in capitals', broken({ name: 'Mine' }), { code: 'plugin.invalid', path: 'name' }],
    [
      'no name',
      broken({ name: undefined }),
      { code: 'plugin.invalid', path: 'name', message: expect.stringContaining('plugin "mine": a source name') },
    ],
    [
      'no matcher',
      broken({ matches: undefined }),
      {
        code: 'plugin.invalid',
        path: 'matches',
        message: expect.stringContaining('plugin "mine": source "mine": matches'),
      },
    ],
    ['no filter', broken({ filter: {} }), { code: 'plugin.invalid', path: 'filter' }],
    ['no events', broken({ events: {} }), { code: 'plugin.invalid', path: 'events' }],
    ['an event without a schema', broken({ events: { said: {} } }), { code: 'plugin.invalid', path: 'events.said' }],
    ['an op of its own that is none', broken({ ownOps: ['nope'] }), { code: 'plugin.invalid', path: 'ownOps' }],
    ['ops of its own that are no list', broken({ ownOps: 'said' }), { code: 'plugin.invalid', path: 'ownOps' }],
    ['version 0', broken({ version: 0 }), { code: 'plugin.invalid', path: 'version' }],
    ['nothing at all', [null] as never, { code: 'plugin.invalid' }],
    [
      'a target that cannot run',
      [{ name: 'mine', targets: [{ ...target('sends'), run: undefined }] }] as never,
      {
        code: 'plugin.invalid',
        path: 'run',
        message: expect.stringContaining('plugin "mine": target "sends": run'),
      },
    ],
    [
      'written for another contract',
      plugin({ apiVersion: 2 }),
      { code: 'plugin.api_version', message: expect.stringMatching(/"mine".*version 2.*version 1/) },
    ],
    [
      'a member that is misspelt',
      broken({ orderinKey: () => '' }),
      { code: 'plugin.invalid', path: 'orderinKey', hint: 'did you mean "orderingKey"?' },
    ],
  ])('%s', ([, plugins, error]) => {
    expect(() => new Plugins(plugins, { targets: [target('function')] })).toThrow(expect.objectContaining(error))
  })
})
