/** A key-value store on Postgres whose every mutation is an event, emitted in the same transaction. */
import { defineSource, orderingKeyOf } from '@outbus/core'
import { kvApi } from './api.ts'
import type { KvEvent } from './events.ts'
import { kvContent, kvEvents, kvFilter, kvMatches } from './events.ts'
import { kvKeys, kvKeysOf } from './filing.ts'

export function kv() {
  return defineSource({
    name: 'kv',
    version: 1,
    events: kvEvents,
    filter: kvFilter,
    migrations: new URL('../migrations/', import.meta.url),
    keys: kvKeys,
    keysOf: kvKeysOf,
    matches: kvMatches,
    content: kvContent,
    serialize: (event): KvEvent => event,
    // Each entry is an order of its own.
    orderingKey: ({ collection, key }) => orderingKeyOf([collection, key]),
    api: kvApi,
  })
}
