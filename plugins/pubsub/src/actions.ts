/** What the `Authorizer` is asked about the verbs: `publishMany` asks `publish` about each. */
import { EMIT_OPTIONS_RESOURCE } from '@outbus/core/plugin'

export const pubsubActions = {
  publish: { resource: { topic: 'the topic', message: 'what is published', ...EMIT_OPTIONS_RESOURCE } },
  publishMany: { resource: { publications: '`topic`, `message` and `options` of each' } },
}
