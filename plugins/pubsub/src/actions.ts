/** What the `Authorizer` is asked about the verbs: `publishMany` asks `publish` about each. */
export const pubsubActions = {
  publish: { resource: { topic: 'the topic', message: 'what is published', priority: 'of the options' } },
  publishMany: { resource: { publications: '`topic`, `message` and `options` of each' } },
}
