/**
 * What effects outside of the database are deduped by: one event for one trigger. Both are uuids, so the key never comes again, as
 * a delivery's id does in a database that was restored or lost its last commits (G22). Every attempt has the same one, and so has a
 * replay of a dead letter: what its attempts had done already is not to be done twice.
 */
export function idempotencyKeyOf(eventId: string, triggerId: string): string {
  return `${eventId}_${triggerId}`
}
