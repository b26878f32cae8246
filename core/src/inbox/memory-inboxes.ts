/** Hints between the buses of one process, without a connection. For tests. */
import { randomUUID } from 'node:crypto'
import type { InboxListener, InboxResolver } from './resolver.ts'

/** Give the same one to every bus of the test: `createBus({ inboxes })`. */
export function memoryInboxes(): InboxResolver {
  const open = new Map<string, InboxListener>()
  return {
    open(listener) {
      const address = randomUUID()
      open.set(address, listener)
      return { address, hearing: true, close: async () => void open.delete(address) }
    },
    tell: ({ address, requestIds }) => open.get(address)?.onReplies(requestIds),
  }
}
