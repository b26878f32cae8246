/** Checks that a caller's client is in an open transaction. */
import type pg from 'pg'
import { OutbusError } from '../errors.ts'

export function assertTransaction(tx: pg.ClientBase): void {
  const status = statusOf(tx)
  if (status === 'T') return
  throw new OutbusError(
    'emit.tx_closed',
    status === 'E'
      ? 'a statement of the transaction has failed: it takes nothing more until it is rolled back'
      : 'no transaction is open on this client: it was not begun, or has ended already',
    { path: 'tx', hint: 'await BEGIN before with(tx), and every call on it before COMMIT' },
  )
}

function statusOf(tx: unknown): string | null {
  const client = tx as { getTransactionStatus?: () => string | null }
  if (typeof client?.getTransactionStatus === 'function') return client.getTransactionStatus()
  throw new OutbusError('options.invalid', 'with() takes a connected pg client (8.17 or newer), not a pool', {
    path: 'tx',
  })
}
