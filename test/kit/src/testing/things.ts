/** A source that keeps the contract, whose parts a test breaks one at a time. */
import { defineErrors, definePlugin, defineSource, nameSchema, patternSchema, statement } from '@outbus/core/plugin'
import type { AnyPlugin, AnySource, Migrations, JsonValue, SourceContext } from '@outbus/core/plugin'
import { z } from 'zod'
import type { SourceSamples } from '../conformance/samples.ts'

/** No row where there is one of this name. */
export const addThing = statement<[appId: string, name: string], { name: string }>(
  'testing_add_thing',
  'insert into {schema}.things (app_id, name) values ($1, $2) on conflict do nothing returning name',
)
export const removeThing = statement<[appId: string, name: string], { name: string }>(
  'testing_remove_thing',
  'delete from {schema}.things where app_id = $1 and name = $2 returning name',
)
const listThings = statement<[appId: string], { name: string }>(
  'testing_list_things',
  'select name from {schema}.things where app_id = $1 order by name',
)
export const listThingsOfAll = statement<[], { name: string }>(
  'testing_list_things_of_all',
  'select name from {schema}.things order by name',
)

export const events = {
  added: z.strictObject({ name: nameSchema(), detail: z.custom<JsonValue>(() => true) }),
  gone: z.strictObject({}),
}

const ThingsError = defineErrors('things', ['taken'])

export const THINGS = `create table {schema}.things (
  app_id text not null,
  name text not null,
  primary key (app_id, name)
);
`

/** The plugin, of whose source some members are others. */
export function things(
  broken: Partial<AnySource> = {},
  migrations: Migrations = { '0001_create_things': THINGS },
): AnyPlugin {
  const kept = defineSource({
    name: 'things',
    version: 1,
    events,
    filter: z.strictObject({ name: nameSchema().optional(), pattern: patternSchema().optional() }),
    erase: { things: 'no payload' },
    keys: ({ name }) => [name ?? 'any'],
    keysOf: (event) => (event.op === 'added' ? ['any', event.name] : ['any']),
    matches: ({ event, filter }) => filter.name === undefined || (event.op === 'added' && event.name === filter.name),
    content: (event) => (event.op === 'added' ? event.detail : undefined),
    serialize: (event) => ({ ...event }),
    api: (context) => ({
      async add(name: string) {
        context.check({ op: 'added', name, detail: null })
        await context.transaction(async (tx) => {
          const [row] = await tx.run(addThing, [context.app, name])
          if (row === undefined) throw new ThingsError('things.taken', 'there is one of this name', { received: name })
          await tx.emit([{ op: 'added', name, detail: null }])
        })
      },
      async remove(name: string) {
        context.check({ op: 'added', name, detail: null })
        return context.transaction(async (tx) => {
          const rows = await tx.run(removeThing, [context.app, name])
          if (rows.length > 0) await tx.emit([{ op: 'gone' }])
          return rows.length > 0
        })
      },
      list: () => context.run(listThings, [context.app]),
    }),
  })
  return definePlugin({ name: 'things', migrations, sources: [{ ...kept, ...broken }] })
}

export type ThingsContext = SourceContext<typeof events>
export interface ThingsApi {
  add(name: string): Promise<unknown>
  remove(name: string): Promise<unknown>
  list(): Promise<unknown>
}

export const samples: SourceSamples<AnySource> = {
  events: [
    { op: 'added', name: 'ada', detail: { plan: 'pro' } },
    { op: 'added', name: 'bob', detail: 'é' },
    { op: 'gone' },
  ] as never,
  filters: [{}, { name: 'ada' }, { pattern: { plan: ['pro'] } }],
  writes: {
    add: (api: ThingsApi) => api.add('ada'),
    remove: async (api: ThingsApi) => {
      await api.add('bob')
      await api.remove('bob')
    },
  },
  reads: { list: (api: ThingsApi) => api.list() },
}
