/** The target of a trigger: its type, and beside it what that target's config schema takes. */
export type TargetSpec = { readonly type: string } & Readonly<Record<string, unknown>>
