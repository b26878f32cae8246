/** A key-value store on Postgres whose every mutation is an event, emitted in the same transaction. */
import { definePlugin, defineSource, orderingKeyOf, readAudiences } from '@outbus/core/plugin'
import type { SourceAudiences } from '@outbus/core/plugin'
import { kvActions } from './actions.ts'
import { kvApi } from './api.ts'
import { kvErasure } from './erasure.ts'
import type { KvEvent } from './events.ts'
import { kvContent, kvEvents, kvFilter, kvMatches } from './events.ts'
import { kvKeys, kvKeysOf } from './filing.ts'
import { migrations } from './migrations.ts'

export function kv(options: SourceAudiences = {}) {
  const source = defineSource({
    name: 'kv',
    ...readAudiences(options, 'kv'),
    actions: kvActions,
    erase: kvErasure,
    version: 1,
    events: kvEvents,
    filter: kvFilter,
    keys: kvKeys,
    keysOf: kvKeysOf,
    matches: kvMatches,
    content: kvContent,
    serialize: (event): KvEvent => event,
    // Each entry is an order of its own.
    orderingKey: ({ collection, key }) => orderingKeyOf([collection, key]),
    api: kvApi,
  })
  return definePlugin({ name: 'kv', apiVersion: 1, migrations, sources: [source] })
}
