/**
 * What a migration states about itself in its first comments:
 *
 *   -- outbus: no transaction
 *   -- outbus: older processes may run and start
 *
 * The first has to be the first line. docs/upgrades.md says what the three forms of the second mean to older processes.
 * A migration without that line means `may run`.
 */

export type OlderProcesses = 'may run and start' | 'may run' | 'must stop'

export interface Directives {
  readonly transaction: boolean
  /** Undefined: the file says nothing. */
  readonly older: OlderProcesses | undefined
}

const NO_TRANSACTION = /^-- outbus: no transaction[ \t]*\n/
const OLDER = /^older processes (may run and start|may run|must stop)$/
const COMMENTS = /^(--[^\n]*\n|[ \t]*\n)*/

/** `refuse` gets an unknown line for the bus, since a misspelt one must not pass for a comment. */
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
