/**
 * Where in the claim protocol this process can be made to end, as seen at its connections: nothing in core knows of it.
 *
 *   lanes of batches:  claim ─after-claim─▶ note ─after-note─▶ run ─▶ settle ─before-commit─▶ COMMIT ─after-commit─▶
 *   under a lease:     take, COMMIT ─after-claim─▶ run ─▶ ─before-commit─▶ settle, COMMIT ─after-commit─▶
 *
 * `in-handler` and `after-effect` are passed by the handlers themselves. The lease is the note of what is taken under one.
 */
import type { Duplex } from 'node:stream'
import type pg from 'pg'
import { bury } from '../../../core/src/sql/settle/bury.ts'
import { claimEmitted } from '../../../core/src/sql/claim/claim-emitted.ts'
import { finish } from '../../../core/src/sql/settle/finish.ts'
import { reschedule } from '../../../core/src/sql/settle/reschedule.ts'
import { resolveDeadLetters } from '../../../core/src/sql/settle/resolve-dead-letters.ts'
import { settleRequests } from '../../../core/src/sql/requests/settle-requests.ts'
import { writeNote } from '../../../core/src/sql/note/write-note.ts'
import { CLAIMS, TAKES } from './claims.ts'
import type { Failpoint } from './names.ts'
import type { AnyStatement } from './statements.ts'
import { recognizer, watchStatements } from './statements.ts'

export interface Failpoints {
  /** The process ends itself, or stops, when it next passes there. One at a time: a later one takes its place. */
  arm(name: Failpoint, signal?: 'SIGKILL' | 'SIGSTOP'): void
  /** This process is there now. */
  pass(name: Failpoint): void
}

/** What is known of a connection's transaction, from BEGIN to its end. */
interface Transaction {
  /** Rows were taken under a lease in it. */
  takes: boolean
  /** Deliveries come to an outcome in it. */
  settles: boolean
}

const SETTLES = new Set<AnyStatement>([finish, reschedule, bury, resolveDeadLetters, settleRequests])
const recognize = recognizer([...CLAIMS, ...TAKES, ...SETTLES, writeNote])

/** It is called before the bus of this process is made. */
export function installFailpoints(): Failpoints {
  let armed: { readonly name: Failpoint; readonly signal: 'SIGKILL' | 'SIGSTOP' } | undefined
  const transactions = new WeakMap<pg.Client, Transaction>()
  let unread: pg.Client | undefined

  /**
   * A process that goes on after it stood still reads its sockets in any order. Here that of `on`, if one is given, comes last: it is
   * read when something is asked on it.
   */
  const pass = (name: Failpoint, on?: pg.Client) => {
    if (name !== armed?.name) return
    const { signal } = armed
    armed = undefined
    if (signal === 'SIGSTOP' && on !== undefined) {
      unread = on
      streamOf(on).pause()
    }
    process.kill(process.pid, signal)
  }

  const passCommit = (client: pg.Client, transaction: Transaction) => {
    if (transaction.settles && armed?.name === 'before-commit') {
      sendCorked(client)
      pass('before-commit')
    }
    return ({ command }: pg.QueryResult) => {
      if (command !== 'COMMIT') return
      if (transaction.settles) pass('after-commit')
      if (transaction.takes) pass('after-claim')
    }
  }

  const passStatement = (client: pg.Client, stated: AnyStatement, transaction: Transaction | undefined) => {
    if (stated === writeNote) return () => pass('after-note')
    if (CLAIMS.has(stated)) {
      return ({ rows }: pg.QueryResult) => {
        if (!hasRows(rows)) return
        pass('after-claim', client)
        // Its note was committed with it.
        if (stated === claimEmitted) pass('after-note')
      }
    }
    if (TAKES.has(stated)) {
      return ({ rows }: pg.QueryResult) => {
        if (transaction !== undefined) transaction.takes = hasRows(rows)
        else if (hasRows(rows)) pass('after-claim')
      }
    }
    if (transaction !== undefined) transaction.settles = true
    else {
      pass('before-commit')
      return () => pass('after-commit')
    }
    return undefined
  }

  watchStatements(({ client, original }) => {
    if (client === unread) {
      unread = undefined
      streamOf(client).resume()
    }
    if (/^begin\b/.test(original)) transactions.set(client, { takes: false, settles: false })
    const transaction = transactions.get(client)
    if (/^(commit|rollback)\b/.test(original) && transaction !== undefined) {
      transactions.delete(client)
      if (original === 'commit') return passCommit(client, transaction)
    }
    const stated = recognize(original)
    return stated === undefined ? undefined : passStatement(client, stated, transaction)
  })
  return { arm: (name, signal = 'SIGKILL') => void (armed = { name, signal }), pass }
}

/** Some claims answer with a row that has no id, of where they stopped. */
function hasRows(rows: readonly unknown[]): boolean {
  return rows.some((row) => (row as readonly unknown[])[0] !== null)
}

/** A settle and its COMMIT go in one write; here the settle goes, and the COMMIT does not. */
function sendCorked(client: pg.Client): void {
  const stream = streamOf(client)
  while (stream.writableCorked > 0) stream.uncork()
}

function streamOf(client: pg.Client): Duplex {
  return (client as unknown as { readonly connection: { readonly stream: Duplex } }).connection.stream
}
