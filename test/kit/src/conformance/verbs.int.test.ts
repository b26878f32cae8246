/** Each check of the kit for verbs catches the verb that it is there for, and lets through the one that only looks like it. */
import { isOutbusError, OutbusError } from '@outbus/core'
import { statement } from '@outbus/core/plugin'
import type { AnyPlugin, AnySource, SourceContext } from '@outbus/core/plugin'
import { describe, expect, test } from 'vitest'
import { withClient } from '../connections.ts'
import { addThing, listThingsOfAll, removeThing, samples, things } from '../testing/things.ts'
import type { ThingsApi, ThingsContext } from '../testing/things.ts'
import { testServerUrl } from '../vitest.ts'
import { checkAtomicity } from './atomicity.ts'
import { checkAuthorization } from './authorization.ts'
import { checkBadWrites } from './hostile.ts'
import { checkForeignData, checkIsolation } from './isolation.ts'
import { sourceOf } from './parts.ts'
import { checkRefusals } from './refusals.ts'
import type { SourceSamples } from './samples.ts'
import { checkTransactions } from './stored.ts'

type Check = (plugin: AnyPlugin, samples: SourceSamples<AnySource>) => Promise<string[]>
type Verbs = Partial<Record<string, (name: string) => unknown>>

/** `things`, some of whose verbs are others. */
function thingsWith(verbs: (context: ThingsContext) => Verbs, broken: Partial<AnySource> = {}): AnyPlugin {
  const kept = sourceOf(things())
  const api = (context: SourceContext) => ({ ...(kept.api(context) as object), ...verbs(context as never) })
  return things({ api, ...broken })
}

const whereAmI = statement<[], { database: string; port: number }>(
  'testing_where_am_i',
  `select current_database() as database, current_setting('port')::integer as port`,
)
const removeThingOfAny = statement<[name: string], { name: string }>(
  'testing_remove_thing_of_any',
  'delete from {schema}.things where name = $1 returning name',
)
const findThingOfAny = statement<[name: string], { name: string }>(
  'testing_find_thing_of_any',
  'select app_id, name from {schema}.things where name = $1',
)
const findThing = statement<[appId: string, name: string], { name: string }>(
  'testing_find_thing',
  'select name from {schema}.things where app_id = $1 and name = $2',
)
const countThings = statement<[appId: string], { count: string }>(
  'testing_count_things',
  'select count(*) from {schema}.things where app_id = $1',
)
const countThingsOfAll = statement<[], { count: string }>(
  'testing_count_things_of_all',
  'select count(*) from {schema}.things',
)
const addThingOnce = statement<[appId: string, name: string], never>(
  'testing_add_thing_once',
  `insert into {schema}.things (app_id, name) values ($1, $2)`,
)
const addOnce = (context: ThingsContext, name: string) =>
  context.transaction(async (tx) => {
    await tx.run(addThingOnce, [context.app, name])
    await tx.emit([added(name)])
  })
const added = (name: string) => ({ op: 'added' as const, name, detail: null })
const badWrites = { 'an empty name': (api: ThingsApi) => api.add('') }
const reads = { list: (api: ThingsApi) => api.list() }
const readAny = { list: (api: { list(name: string): Promise<unknown> }) => api.list('ada') }

describe('of verbs that do not ask', () => {
  const named = (verbs: (context: ThingsContext) => Verbs) =>
    thingsWith(verbs, { actions: { add: { resource: {} }, list: { resource: {} } } })
  const given = { ...samples, reads } as unknown as SourceSamples<AnySource>

  test('the kit catches the one that its source says asks, and one that writes before it asks', async () => {
    const add = async (context: ThingsContext, name: string) => {
      await addOnce(context, name)
      await context.authorize('add', { name })
    }
    const problems = await checkAuthorization(
      named((context) => ({ add: (name) => add(context, name) })),
      given,
    )
    expect(problems).toContain('list does not ask the authorizer about things.list')
    expect(problems).toContainEqual(expect.stringMatching(/^add, refused by the authorizer, changed rows in .*things/))
  })

  test('core asks about those that no action names', async () => {
    expect(
      await checkAuthorization(
        thingsWith(() => ({})),
        given,
      ),
    ).toEqual([])
  })
})

describe('caught', () => {
  test.for<[what: string, check: Check, problem: string, verbs: (context: ThingsContext) => Verbs, given?: object]>([
    [
      'one that writes on a connection of its own',
      checkTransactions,
      'add left something behind',
      (context) => ({
        add: async (name) => {
          const [row] = await context.run(whereAmI, [])
          const { database, port } = row as { database: string; port: number }
          await withClient({ connectionString: connectionTo(database, port) }, (own) =>
            own.query('insert into outbus.things (app_id, name) values ($1, $2)', [context.app, name]),
          )
        },
      }),
    ],
    [
      'one that shows an app what another wrote',
      checkIsolation,
      'after add of one app, list of another answers otherwise',
      (context) => ({ list: () => context.run(listThingsOfAll, []) }),
    ],
    [
      'one whose answer holds a clock, and what another app wrote',
      checkIsolation,
      'after add of one app, list of another answers otherwise',
      (context) => ({
        list: async () => ({ at: Date.now(), count: (await context.run(countThingsOfAll, []))[0]?.count }),
      }),
    ],
    [
      'one that removes what another app has',
      checkForeignData,
      "remove, given what is another app's, changed rows of another app in things",
      (context) => ({
        remove: (name) =>
          context.transaction(async (tx) => {
            await tx.run(removeThingOfAny, [name])
            await tx.emit([{ op: 'gone' }])
          }),
      }),
    ],
    [
      'one that answers with rows of all apps',
      checkForeignData,
      'add answers otherwise where another app has the same data',
      (context) => ({
        add: (name) =>
          context.transaction(async (tx) => {
            await tx.run(addThing, [context.app, name])
            await tx.emit([added(name)])
            return tx.run(listThingsOfAll, [])
          }),
      }),
    ],
    [
      'one that finds what another app has, by what it is known by there',
      checkForeignData,
      "list, given what is another app's, shows it",
      (context) => ({ list: (name) => context.run(findThingOfAny, [name]) }),
      {
        reads: {
          list: async (api: ThingsApi & { list(name: string): Promise<unknown> }) => {
            await api.add('eve')
            return api.list('eve')
          },
        },
      },
    ],
    [
      'one that writes first and emits then',
      checkAtomicity,
      'add left something behind in things when step 2 (run, emit) failed',
      (context) => ({
        add: async (name) => {
          await context.run(addThing, [context.app, name])
          await context.emit(added(name))
        },
      }),
    ],
    [
      'one that emits first and writes then',
      checkAtomicity,
      'add left something behind in outbox when step 2 (emit, run) failed',
      (context) => ({
        add: async (name) => {
          await context.emit(added(name))
          await context.run(addThing, [context.app, name])
        },
      }),
    ],
    [
      'one that swallows that its emit failed',
      checkAtomicity,
      'add resolved, and left something behind in things, though its emit failed',
      (context) => ({
        add: (name) =>
          context.transaction(async (tx) => {
            await tx.run(addThing, [context.app, name])
            await tx.emit([added(name)]).catch(() => {})
          }),
      }),
    ],
    [
      'one that emits nothing',
      checkAtomicity,
      'remove emitted no event',
      (context) => ({ remove: (name) => context.run(removeThing, [context.app, name]) }),
    ],
    [
      'one that lets Postgres refuse what it is given',
      checkBadWrites,
      'add, given a NUL in place of its argument 1: database.refused (22021): Postgres refused a statement: invalid byte sequence',
      (context) => ({
        add: (name) =>
          context.transaction(async (tx) => {
            await tx.run(addThing, [context.app, name])
            await tx.emit([added(name)])
          }),
      }),
    ],
    [
      'one that lets out a unique violation',
      checkRefusals,
      'add, asked for the same twice, lets out what Postgres said: database.refused (23505)',
      (context) => ({ add: (name) => addOnce(context, name) }),
    ],
    [
      'one that looks before it writes, and lets out a unique violation',
      checkRefusals,
      'add, asked for the same by 4 at once, lets out what Postgres said: database.refused (23505)',
      (context) => ({
        add: async (name) => {
          const there = await context.run(findThing, [context.app, name])
          if (there.length > 0) throw new OutbusError('version.conflict', 'it is there already')
          return addOnce(context, name)
        },
      }),
    ],
    [
      'one that throws an error of its own making',
      checkRefusals,
      'add, asked for the same twice, lets out what Postgres said: Error: no',
      () => ({ add: () => Promise.reject(new Error('no')) }),
    ],
    [
      'one that takes for granted what it is given',
      checkBadWrites,
      'add, given a bigint in an object in place of its argument 1: TypeError',
      (context) => ({ add: async (name) => context.check(added(name.trim())) }),
    ],
    [
      'one that takes a number for one',
      checkBadWrites,
      'add, given 256 KB and more in place of its argument 1: TypeError',
      (context) => ({ add: async (count) => context.check(added((count as unknown as number).toFixed(1))) }),
      { writes: { add: (api: { add(count: number): Promise<unknown> }) => api.add(3) } },
    ],
    [
      'one that writes first and looks then',
      checkBadWrites,
      'add, given half of a surrogate pair in place of its argument 1 was refused after something was written in things',
      (context) => ({
        add: async (name) => {
          await context.run(addThing, [context.app, name])
          await context.emit(added(name))
        },
      }),
    ],
    [
      'one that takes what is said to be bad',
      checkBadWrites,
      'the bad write an empty name is taken',
      () => ({ add: async () => undefined }),
      { badWrites },
    ],
    [
      'one that throws something else at what is said to be bad',
      checkBadWrites,
      'the bad write an empty name: Error: no',
      () => ({ add: () => Promise.reject(new Error('no')) }),
      { badWrites },
    ],
    ['one that is said to be quiet, and is not', checkAtomicity, 'quiet names add', () => ({}), { quiet: ['add'] }],
    ['a quiet one that is none', checkAtomicity, 'quiet names nothing', () => ({}), { quiet: ['nothing'] }],
  ])('%s', async ([, check, problem, verbs, given]) => {
    const found = await check(thingsWith(verbs), { ...samples, ...given })
    expect(found).toContainEqual(expect.stringContaining(problem))
  })
})

describe('let through', () => {
  test.for<[what: string, check: Check, verbs: (context: ThingsContext) => Verbs, given?: object]>([
    [
      'one whose answer holds a clock',
      checkIsolation,
      (context) => ({
        list: async () => ({
          at: Date.now(),
          second: new Date().getSeconds(),
          count: await context.run(countThings, [context.app]),
        }),
      }),
    ],
    ['one that answers with chance', checkIsolation, () => ({ list: async () => [{ id: Math.random() }] })],
    [
      'one that emits nothing, and is said to be quiet',
      checkAtomicity,
      (context) => ({ remove: (name) => context.run(removeThing, [context.app, name]) }),
      { quiet: ['remove'] },
    ],
    [
      'one that emits again when it failed once',
      checkAtomicity,
      (context) => ({
        add: (name) =>
          context.transaction(async (tx) => {
            await tx.run(addThing, [context.app, name])
            await tx.emit([added(name)]).catch(() => tx.emit([added(name)]))
          }),
      }),
    ],
    [
      'one that refuses what is said to be bad, after another was called',
      checkBadWrites,
      () => ({}),
      {
        badWrites: {
          'an empty name': async (api: ThingsApi) => {
            await api.add('zoe')
            await api.remove('')
          },
        },
      },
    ],
    [
      'one that says in its own words that it is there already',
      checkRefusals,
      (context) => ({
        add: (name) =>
          addOnce(context, name).catch((error: unknown) => {
            if (isOutbusError(error) && error.sqlState === '23505')
              throw new OutbusError('version.conflict', 'it is there already', { cause: error })
            throw error
          }),
      }),
    ],
    ['one that looks for a name in its own app', checkForeignData, () => ({}), { reads: { ...reads, ...readAny } }],
  ])('%s', async ([, check, verbs, given]) => {
    expect(await check(thingsWith(verbs), { ...samples, ...given })).toEqual([])
  })
})

function connectionTo(database: string, port: number): string {
  const url = new URL(testServerUrl())
  url.pathname = `/${database}`
  url.port = String(port)
  return url.href
}
