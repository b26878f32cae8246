/** Begins and ends the bus's own transactions, at a level and with settings that the bus states (G21). */
import type pg from 'pg'
import { ask, askSession } from './ask.ts'
import { beginText, markEnded, markBegun } from './session.ts'

/** `settings`: for this transaction, such as `lock_timeout = '20ms'`. */
export async function beginOn(client: pg.ClientBase, settings: readonly string[] = []): Promise<void> {
  const session = await askSession(client)
  await ask(client, { text: beginText(session, settings) })
  markBegun(client)
}

/** Returns the command tag: COMMIT of a failed transaction succeeds, and says ROLLBACK. */
export async function commitOn(client: pg.ClientBase): Promise<string> {
  markEnded(client)
  const { command } = await ask(client, { text: 'commit' })
  return command
}

/** Succeeds without an open transaction too. */
export async function rollbackOn(client: pg.ClientBase): Promise<void> {
  markEnded(client)
  await ask(client, { text: 'rollback' })
}
