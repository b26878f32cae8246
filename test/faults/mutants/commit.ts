/** Commits a claim as soon as it has its rows; what settles them later is a transaction of its own. */
import { claimBatch, claimSized } from '../../../core/src/sql/claim-batch.ts'
import { claimEmitted } from '../../../core/src/sql/claim-emitted.ts'
import { claimFresh } from '../../../core/src/sql/claim-fresh.ts'
import { claimOrdered, claimOrderedDue } from '../../../core/src/sql/claim-ordered.ts'
import { claimOvertaken } from '../../../core/src/sql/claim-overtaken.ts'
import { recognizer, watchStatements } from '../failpoints/statements.ts'

export function commitBeforeHandlers(): void {
  const recognize = recognizer([
    claimBatch,
    claimSized,
    claimEmitted,
    claimFresh,
    claimOvertaken,
    claimOrdered,
    claimOrderedDue,
  ])
  watchStatements(({ client, original }) => {
    if (recognize(original) === undefined) return undefined
    return async ({ rows }) => {
      if (rows.length === 0) return
      await client.query('commit')
      await client.query('begin')
    }
  })
}
