/** Where in the claim protocol a dispatcher can be made to end. */
export const FAILPOINTS = [
  'after-claim',
  'after-note',
  'in-handler',
  'after-effect',
  'before-commit',
  'after-commit',
] as const

export type Failpoint = (typeof FAILPOINTS)[number]
