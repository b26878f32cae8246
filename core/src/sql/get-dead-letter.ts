import type { DeadLetterRow } from './dead-letter-row.ts'
import { DEAD_LETTER_COLUMNS } from './dead-letter-row.ts'
import { statement } from './statement.ts'

/** Caller: DeadLetterStore.get, and to tell "not found" from "already resolved". */
export const getDeadLetter = statement<[appId: string, id: string], DeadLetterRow>(
  'get_dead_letter',
  `select ${DEAD_LETTER_COLUMNS} from {schema}.dead_letters where app_id = $1 and id = $2::bigint`,
)
