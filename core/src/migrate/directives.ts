/**
 * What a migration states about itself, in the comments that it begins with:
 *
 *   -- outbus: no transaction
 *   -- outbus: older processes may run and start
 *
 * The first has to be the first line. The second has one of three forms, for programs that do not have the migration yet:
 *
 *   may run and start   they work with the new schema, so one that crashes or is scaled up may start again
 *   may run             those that run go on, and one that starts is refused (`schema.newer`): what a migration means that says nothing
 *   must stop           they would do harm: the migration is refused while a dispatcher is alive (`schema.in_use`)
 */

/** What a migration says to processes that do not have it. */
export type OlderProcesses = 'may run and start' | 'may run' | 'must stop'

export interface Directives {
  readonly transaction: boolean
  /** Undefined: it says nothing. */
  readonly older: OlderProcesses | undefined
}

const NO_TRANSACTION = /^-- outbus: no transaction[ \t]*\n/
const OLDER = /^older processes (may run and start|may run|must stop)$/
const COMMENTS = /^(--[^\n]*\n|[ \t]*\n)*/

/** `refuse` is told of a line for the bus that says nothing known: one that is misspelt must not pass for a comment. */
export function directivesOf(text: string, refuse: (line: string) => never): Directives {
  const transaction = !NO_TRANSACTION.test(text)
  let older: OlderProcesses | undefined
  const [comments] = COMMENTS.exec(text) as RegExpExecArray
  for (const line of (transaction ? comments : comments.slice(comments.indexOf('\n') + 1)).split('\n')) {
    const said = /^-- outbus:(.*)$/.exec(line)?.[1]
    if (said === undefined) continue
    const form = OLDER.exec(said.trim())?.[1] as OlderProcesses | undefined
    if (form === undefined || older !== undefined) refuse(line)
    older = form
  }
  return { transaction, older }
}
