/** The statements by which a process gets rows to run: `CLAIMS` within the transaction of a batch, `TAKES` under a lease. */
import { claimBatch, claimSized } from '../../../core/src/sql/claim/claim-batch.ts'
import { claimEmitted } from '../../../core/src/sql/claim/claim-emitted.ts'
import { claimFresh } from '../../../core/src/sql/claim/claim-fresh.ts'
import { claimOrdered, claimOrderedDue, claimOrderedNear } from '../../../core/src/sql/claim/claim-ordered.ts'
import { claimOvertaken } from '../../../core/src/sql/claim/claim-overtaken.ts'
import { takeAlone } from '../../../core/src/sql/claim/take-alone.ts'
import {
  takeRequests,
  takeRequestsInTurns,
  takeRequestsInTurnsNear,
} from '../../../core/src/sql/claim/take-requests.ts'
import { takeSingles, takeSinglesNear } from '../../../core/src/sql/claim/take-singles.ts'
import type { AnyStatement } from './statements.ts'

export const CLAIMS: ReadonlySet<AnyStatement> = new Set<AnyStatement>([
  claimBatch,
  claimSized,
  claimEmitted,
  claimFresh,
  claimOvertaken,
  claimOrdered,
  claimOrderedDue,
  claimOrderedNear,
])

export const TAKES: ReadonlySet<AnyStatement> = new Set<AnyStatement>([
  takeAlone,
  takeSingles,
  takeSinglesNear,
  takeRequests,
  takeRequestsInTurns,
  takeRequestsInTurnsNear,
])
