/** What the `Authorizer` is asked about the verbs. A schedule is owned by whoever set it. */
const allows = 'own and open' as const

export const scheduleActions = {
  set: { resource: { name: 'its name', schedule: 'as it was given' }, allows },
  get: { resource: { name: 'its name' }, allows },
  list: { resource: {}, allows },
  delete: { resource: { name: 'its name' }, allows },
  preview: 'free',
} as const
