/** A key-value store on Postgres whose every mutation is an event, emitted in the same transaction. */
import { defineSource } from '@outbus/core'
import { kvApi } from './api.ts'
import type { KvEvent } from './events.ts'
import { kvEvents, kvFilter, kvKeys, kvKeysOf, kvMatches, kvOrderingKey } from './events.ts'

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
    serialize: (event): KvEvent => event,
    orderingKey: kvOrderingKey,
    api: kvApi,
  })
}
