/** Hierarchical topics: what is published reaches every subscription that matches, whatever their number. */
import { defineSource, readAudiences } from '@outbus/core'
import type { SourceAudiences } from '@outbus/core'
import { pubsubActions } from './actions.ts'
import { pubsubApi } from './api.ts'
import type { PubsubEvent } from './events.ts'
import { pubsubEvents, pubsubFilter } from './events.ts'
import { keysOfSubscription, keysOfTopic, subscriptionMatches } from './topic.ts'

export function pubsub(options: SourceAudiences = {}) {
  return defineSource({
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
}
