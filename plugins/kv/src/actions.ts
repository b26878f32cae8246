/** What the `Authorizer` is asked about the verbs. */
const entry = { collection: 'the collection', key: 'the key' }

export const kvActions = {
  get: { resource: entry },
  set: { resource: { ...entry, value: 'what is written', priority: 'of the options' } },
  setMany: { resource: { writes: '`collection`, `key` and `value` of each' } },
  delete: { resource: entry },
  list: { resource: { collection: 'the collection', prefix: 'empty: every key' } },
}
