/** What the `Authorizer` is asked about the verbs. */
import { EMIT_OPTIONS_RESOURCE } from '@outbus/core/plugin'

const entry = { collection: 'the collection', key: 'the key' }

export const kvActions = {
  get: { resource: entry },
  set: { resource: { ...entry, value: 'what is written', ...EMIT_OPTIONS_RESOURCE } },
  setMany: { resource: { writes: '`collection`, `key` and `value` of each' } },
  delete: { resource: entry },
  list: { resource: { collection: 'the collection', prefix: 'empty: every key' } },
}
