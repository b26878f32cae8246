/** Commits a claim as soon as it has its rows; what settles them later is a transaction of its own. */
import { CLAIMS } from '../failpoints/claims.ts'
import { recognizer, watchStatements } from '../failpoints/statements.ts'

export function commitBeforeHandlers(): void {
  const recognize = recognizer([...CLAIMS])
  watchStatements(({ client, original }) => {
    if (recognize(original) === undefined) return undefined
    return async ({ rows }) => {
      if (rows.length === 0) return
      await client.query('commit')
      await client.query('begin')
    }
  })
}
