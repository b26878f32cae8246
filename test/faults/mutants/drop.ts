/** Loses rows: whoever claims one whose id is a multiple of the divisor deletes it and runs it not. */
import { CLAIMS, TAKES } from '../failpoints/claims.ts'
import { recognizer, schemaIn, watchStatements } from '../failpoints/statements.ts'

export function dropRows(divisor: number): void {
  const recognize = recognizer([...CLAIMS, ...TAKES])
  watchStatements(({ client, original }) => {
    const stated = recognize(original)
    if (stated === undefined) return undefined
    return async (result) => {
      const rows = result.rows as (readonly (string | null)[])[]
      const dropped = rows.map(([id]) => id).filter((id) => typeof id === 'string' && Number(id) % divisor === 0)
      if (dropped.length === 0) return
      result.rows = rows.filter(([id]) => !dropped.includes(id))
      // In the claim's own transaction; where that has ended, in one of its own.
      const outbox = `${schemaIn(original, stated) as string}.outbox`
      await client.query(`delete from ${outbox} where id = any ($1::bigint[])`, [dropped])
    }
  })
}
