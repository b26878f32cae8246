/** Hierarchical topics: what is published reaches every subscription that matches, whatever their number. */
import { definePlugin, defineSource, readAudiences } from '@outbus/core/plugin'
import type { SourceAudiences } from '@outbus/core/plugin'
import { pubsubActions } from './actions.ts'
import { pubsubApi } from './api.ts'
import type { PubsubEvent } from './events.ts'
import { pubsubEvents, pubsubFilter } from './events.ts'
import { keysOfSubscription, keysOfTopic, subscriptionMatches } from './topic.ts'

export function pubsub(options: SourceAudiences = {}) {
  const source = defineSource({
    name: 'pubsub',
    ...readAudiences(options, 'pubsub'),
    actions: pubsubActions,
    erase: {},
    version: 1,
    events: pubsubEvents,
    filter: pubsubFilter,
    keys: ({ topic }) => keysOfSubscription(topic),
    keysOf: ({ topic }) => keysOfTopic(topic),
    matches: ({ event, filter }) => subscriptionMatches(filter.topic, event.topic),
    content: ({ message }) => message,
    serialize: (event): PubsubEvent => event,
    orderingKey: ({ topic }) => topic,
    api: pubsubApi,
  })
  return definePlugin({ name: 'pubsub', apiVersion: 1, sources: [source] })
}
