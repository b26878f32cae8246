export { pubsub } from './pubsub.ts'
export type { Publication, PubsubApi } from './api.ts'
export type { PubsubEvent } from './events.ts'
