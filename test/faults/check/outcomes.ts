/** What the database says in the end: effects, dead letters and replies, against what the history says. */
import type { Book, Delivery, Operation } from './book.ts'
import { hasRun, show } from './book.ts'
import type { Report, Rules } from './rules.ts'
import type { FinalState } from './final-state.ts'

const TRANSACTIONAL = 'transactional'
/** After these failures the caller knows that it left, so that its reply is an abandoned execution. */
const LEFT = new Set(['timeout', 'cancelled'])

export interface RequestCounts {
  readonly sent: number
  readonly replied: number
  readonly failed: number
  readonly abandoned: number
}

/** G4: one row for each that succeeded, none for those that did not. */
export function checkLedger(book: Book, final: FinalState, at: number, report: Report): void {
  const rows = Map.groupBy(final.ledger, ({ op }) => op)
  const dead = new Set(final.deadLetters.filter(({ trigger }) => trigger === TRANSACTIONAL).map(({ op }) => op))
  for (const operation of book.operations.values()) {
    const wanted =
      operation.state === 'committed' && operation.runs?.includes(TRANSACTIONAL) === true && !dead.has(operation.op)
        ? 1
        : 0
    const made = rows.get(operation.op) ?? []
    const found = made.length
    rows.delete(operation.op)
    const delivery = operation.deliveries.get(TRANSACTIONAL)
    if (delivery !== undefined && delivery.ranBefore !== true)
      for (const { attempt } of made)
        if (!isEndedBy(delivery, attempt))
          report(
            'ledger',
            at,
            `a row by attempt ${attempt}, which did not end it, of ${operation.op}: ${show(delivery)}`,
          )
    if (found === wanted) continue
    report(
      'ledger',
      at,
      `${found} rows and not ${wanted} of ${operation.op}: ${delivery === undefined ? 'it never ran' : show(delivery)}`,
    )
  }
  for (const op of rows.keys()) report('ledger', at, `there are rows of ${op}, which nobody began`)
}

/** Its handler ended well at that attempt, and it was not another one that the bus was done with. */
function isEndedBy({ executions, ended }: Delivery, attempt: number): boolean {
  if (ended?.outcome === 'done' && ended.attempt !== attempt) return false
  return executions.some((execution) => execution.attempt === attempt && execution.failed === false)
}

/** G10, and that attempts were used up before a delivery died. */
export function checkDeadLetters(book: Book, final: FinalState, rules: Rules, at: number, report: Report): void {
  const handled = new Set<string>()
  for (const delivery of book.deliveries.values())
    if (delivery.letter !== undefined && hasRun(delivery)) handled.add(delivery.letter)
  const seen = new Set<string>()
  for (const letter of final.deadLetters) {
    const about = `dead letter ${letter.id} of ${letter.op} to ${letter.trigger} in ${letter.app}, after ${letter.attempts} attempts (${letter.reason})`
    const operation = book.operations.get(letter.op)
    if (operation === undefined) report('uncalled', at, `${about}: nobody began it`)
    else if (operation.app !== letter.app) report('crossed', at, `${about}: it is ${operation.app}'s`)
    else if (operation.state === 'rolled back') report('aborted', at, about)
    if (seen.has(letter.deliveryId)) report('dead-letter', at, `${about}: it left another one before`)
    seen.add(letter.deliveryId)
    if (book.deliveries.get(letter.deliveryId)?.ended?.outcome === 'done')
      report('overwritten', at, `${about}: it was done`)
    if (letter.resolution === 'handled' && !handled.has(letter.id))
      report('dead-letter', at, `${about}: no handler of it ended well`)
    if (letter.attempts > rules.maxAttempts) report('attempts', at, about)
    // Nothing in the load asks for an end before that.
    if (letter.reason !== 'attempts_used_up') report('unexplained', at, `${about}: there were attempts left`)
    if (letter.reason === 'attempts_used_up' && letter.attempts < rules.maxAttempts)
      report('unexplained', at, `${about}: there were attempts left`)
    if (letter.trigger === rules.deadLetterTrigger) report('dead-letter', at, `${about}: a dead-letter handler left it`)
    // Deeper than that nothing is run, not even for a dead letter.
    else if (letter.resolution === null && letter.depth < rules.maxTriggerDepth)
      report('dead-letter', at, `${about}: nobody has handled it`)
  }
}

/** G8: a request that was certainly sent is a reply or one abandoned execution, never both. */
export function checkRequests(book: Book, final: FinalState, at: number, report: Report): RequestCounts {
  const abandoned = Map.groupBy(final.abandoned, (id) => id)
  for (const [id, { length }] of abandoned)
    if (length > 1) report('request', at, `${length} abandoned executions of request ${id}`)
  const counts = { sent: 0, replied: 0, failed: 0, abandoned: 0 }
  for (const operation of book.operations.values()) {
    if (operation.how !== 'ask' || operation.reply === undefined || operation.excused === true) continue
    counts.sent++
    const { requestId, failure } = operation.reply
    const found = abandoned.get(requestId)?.length ?? 0
    const left = failure !== undefined && LEFT.has(failure)
    if (left) counts.abandoned++
    else if (failure === undefined) counts.replied++
    else counts.failed++
    if (found !== (left ? 1 : 0)) report('request', at, `${found} abandoned executions of ${describe(operation)}`)
    const delivery = operation.deliveries.get('answer')
    const answered = delivery?.executions.some(({ failed }) => failed === false) ?? false
    if (failure === undefined && !answered)
      report('request', at, `a reply although it did not end well: ${describe(operation)}`)
  }
  return counts
}

function describe(operation: Operation): string {
  const delivery = operation.deliveries.get('answer')
  const { requestId = '', failure = 'a reply' } = operation.reply ?? {}
  return `request ${requestId} of ${operation.op}, whose caller got ${failure}: ${delivery === undefined ? 'it never ran' : show(delivery)}`
}
