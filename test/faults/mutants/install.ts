/** Makes the bus of this process a mutant. Test code alone: core knows nothing of it. */
import { bury } from '../../../core/src/sql/settle/bury.ts'
import { claimBatch, claimSized } from '../../../core/src/sql/claim/claim-batch.ts'
import { emitNoted } from '../../../core/src/sql/emit/emit-noted.ts'
import { extendLeases } from '../../../core/src/sql/settle/extend-leases.ts'
import { finish } from '../../../core/src/sql/settle/finish.ts'
import { loadTriggers } from '../../../core/src/sql/triggers/load-triggers.ts'
import { reschedule } from '../../../core/src/sql/settle/reschedule.ts'
import { resolveDeadLetters } from '../../../core/src/sql/settle/resolve-dead-letters.ts'
import { settleRequests } from '../../../core/src/sql/requests/settle-requests.ts'
import {
  takeRequests,
  takeRequestsInTurns,
  takeRequestsInTurnsNear,
} from '../../../core/src/sql/claim/take-requests.ts'
import { takeSingles, takeSinglesNear } from '../../../core/src/sql/claim/take-singles.ts'
import { writeNote } from '../../../core/src/sql/note/write-note.ts'
import { commitBeforeHandlers } from './commit.ts'
import { dropRows } from './drop.ts'
import type { Edit } from './edit-sql.ts'
import { editStatements } from './edit-sql.ts'
import { switchEpochCheckOff } from './epochs.ts'
import { bypassGateBySync } from './gate.ts'
import type { Mutant } from './names.ts'

export interface MutantOptions {
  /** Which rows `one-row-in-ten-thousand-dropped` drops: those whose ids it divides. Default 10,000. */
  readonly divisor?: number
}

/** Before the bus of this process is made. Throws where core does not say any more what the mutant says otherwise. */
export function installMutant(name: Mutant, { divisor = 10_000 }: MutantOptions = {}): void {
  switch (name) {
    case 'unfenced-settle':
      return editStatements(UNFENCED)
    case 'commit-before-handler':
      return commitBeforeHandlers()
    case 'claim-without-limit':
      return editStatements(UNLIMITED)
    case 'epoch-check-off':
      return switchEpochCheckOff()
    case 'note-off':
      return editStatements(UNNOTED)
    case 'app-id-left-out':
      return editStatements(OF_ALL_APPS)
    case 'gate-bypassed-by-sync':
      return bypassGateBySync()
    case 'one-row-in-ten-thousand-dropped':
      return dropRows(divisor)
  }
}

/** The parameter stays in the text: Postgres has to know its type. */
const UNFENCED: readonly Edit[] = [
  { of: finish, replace: 'lease_token is not distinct from $2::uuid', by: '($2::uuid is null or true)' },
  { of: reschedule, replace: 'o.lease_token is not distinct from $7::uuid', by: '($7::uuid is null or true)' },
  { of: bury, replace: 'o.lease_token is not distinct from $5::uuid', by: '($5::uuid is null or true)' },
  { of: resolveDeadLetters, replace: 'o.lease_token is not distinct from $4::uuid', by: '($4::uuid is null or true)' },
  { of: settleRequests, replace: ' and o.lease_token = ended.lease_token', by: '' },
  // Who does not look at the token does not hear here either that it is another one.
  { of: extendLeases, replace: ' and o.lease_token = held.lease_token', by: '' },
]

const UNLIMITED: readonly Edit[] = [
  ...[claimBatch, claimSized].flatMap((of) => [
    { of, replace: ' limit $1 for update skip locked', by: ' for update skip locked', times: 3 },
    { of, replace: '\n    limit $1', by: '\n    limit nullif($1::bigint, $1::bigint)' },
  ]),
  { of: takeRequests, replace: ' limit $3 for update skip locked', by: ' for update skip locked', times: 2 },
  { of: takeRequests, replace: '\n  limit $3', by: '\n  limit nullif($3::bigint, $3::bigint)' },
  ...[takeRequestsInTurns, takeRequestsInTurnsNear].map((of) => ({
    of,
    replace: 'due_at, id limit $3\n',
    by: 'due_at, id limit nullif($3::bigint, $3::bigint)\n',
  })),
  ...[takeSingles, takeSinglesNear].flatMap((of) => [
    { of, replace: ' limit room.slots for update skip locked', by: ' for update skip locked', times: 3 },
    { of, replace: '\n    limit room.slots\n  ) as taken\n  limit $3', by: '\n  ) as taken' },
  ]),
]

const UNNOTED: readonly Edit[] = [
  {
    of: writeNote,
    replace: 'select $1, lowest, highest, lows, highs, attempts from spans',
    by: 'select $1, lowest, highest, lows, highs, attempts from spans where false',
  },
  { of: emitNoted, replace: 'array[1], $15 from written', by: 'array[1], $15 from written where false' },
]

const OF_ALL_APPS: readonly Edit[] = [
  { of: loadTriggers, replace: 'on t.app_id = e.app_id and t.enabled', by: 'on t.enabled' },
]
