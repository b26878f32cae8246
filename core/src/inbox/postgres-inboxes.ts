/** Sends hints by NOTIFY, on a channel for each inbox. */
import { randomUUID } from 'node:crypto'
import type pg from 'pg'
import type { Logger } from 'pino'
import { Grouping } from '../outbox/grouping.ts'
import { Listener } from '../postgres/listener.ts'
import type { BusClientConfig } from '../postgres/bus-client.ts'
import { notify } from '../sql/requests/notify.ts'
import type { Sql } from '../postgres/statement.ts'
import type { InboxListener, InboxResolver } from './resolver.ts'

export interface PostgresInboxesOptions {
  readonly sql: Sql
  readonly pool: pg.Pool
  /** A direct connection, see `listenUrl`. */
  readonly connection: BusClientConfig
  readonly log: Logger
}

/** NOTIFY takes 7,999 bytes; an id and its comma are 37. */
const IDS_A_NOTIFY = 200

export function postgresInboxes({ sql, pool, connection, log }: PostgresInboxesOptions): InboxResolver {
  let own: { address: string; listener: InboxListener } | undefined
  const notifiers = new Map<string, Grouping<string, void>>()

  const notifierOf = (address: string) => {
    let notifier = notifiers.get(address)
    if (notifier === undefined) {
      const send = async (ids: readonly string[]) => {
        // NOTIFY in the commit of the replies would make them wait for each other.
        await sql.run(pool, notify, [address, ids.join()])
        return ids.map(() => undefined)
      }
      notifier = new Grouping(send, IDS_A_NOTIFY)
      notifiers.set(address, notifier)
      // Processes that ask once and go must not pile up here.
      if (notifiers.size > MAX_NOTIFIERS) notifiers.delete(notifiers.keys().next().value as string)
    }
    return notifier
  }

  return {
    open(listener) {
      const address = `outbus_inbox_${randomUUID().replaceAll('-', '')}`
      own = { address, listener }
      const listening = new Listener({
        channels: [address],
        connection,
        log,
        onNotified: (_channel, payload) => listener.onReplies(payload.split(',')),
        onListening: () => listener.onGap(),
      })
      listening.start()
      return {
        address,
        get hearing() {
          return listening.listening
        },
        close: () => listening.stop(),
      }
    },
    tell({ address, requestIds }) {
      if (own?.address === address) return own.listener.onReplies(requestIds)
      const notifier = notifierOf(address)
      for (const id of requestIds) {
        notifier.add(id).catch((error: unknown) => {
          // The inbox looks for itself.
          log.debug({ err: error }, 'an inbox was not told of its reply')
        })
      }
    },
  }
}

const MAX_NOTIFIERS = 1_000
