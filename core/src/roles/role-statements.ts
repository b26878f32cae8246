/** Runs the files of `migrations/roles`, with names for the placeholders in braces. */
import { roleStatements } from '@outbus/migrations'
import type pg from 'pg'
import { z } from 'zod'

/** Needs no escaping, be it as an identifier or a string. */
const NAME = /^[a-z_][a-z0-9_]{0,62}$/

export const roleNameSchema = z
  .string()
  .regex(NAME, 'is a role in lower-case letters, digits and underscores, at most 63')
  .refine((name) => !name.startsWith('pg_') && name !== 'public' && name !== 'none', 'is a role of Postgres itself')

/** `roleNameSchema` and `assertSchemaName` have checked the names. */
export async function runRoleStatements(
  tx: pg.ClientBase,
  file: string,
  names: Readonly<Record<string, string | readonly string[]>>,
): Promise<void> {
  let text = roleStatements[file]
  if (text === undefined) throw new Error(`there are no statements ${file} in migrations/roles`)
  for (const [placeholder, name] of Object.entries(names))
    text = text.replaceAll(
      `{${placeholder}}`,
      [name]
        .flat()
        .map((each) => `"${each}"`)
        .join(', '),
    )
  await tx.query(text)
}
