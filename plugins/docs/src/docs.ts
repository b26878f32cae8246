/** A document store on Postgres whose every mutation is an event that says what changed, emitted in the same transaction. */
import { OutbusError } from '@outbus/core'
import { definePlugin, defineSource, orderingKeyOf, readAudiences } from '@outbus/core/plugin'
import type { SourceAudiences } from '@outbus/core/plugin'
import { docsActions } from './actions.ts'
import { docsApi } from './api.ts'
import { docsErasure } from './erasure.ts'
import type { Carry, DocsEvent } from './events.ts'
import { carrying, docsContent, docsEvents, docsFilter, docsKeys, docsKeysOf, docsMatches } from './events.ts'
import { migrations } from './migrations.ts'

export interface DocsOptions extends SourceAudiences {
  /** Which contents an event carries to its targets; filters see both. Default `both`. */
  readonly carry?: Carry
}

const CARRIES: readonly string[] = ['both', 'before', 'after', 'none'] satisfies Carry[]

export function docs({ carry = 'both', ...audiences }: DocsOptions = {}) {
  if (!CARRIES.includes(carry)) {
    const hint = `known: ${CARRIES.join(', ')}`
    throw new OutbusError('options.invalid', 'docs: carry says which contents an event carries', {
      path: 'carry',
      received: carry,
      hint,
    })
  }
  const source = defineSource({
    name: 'docs',
    ...readAudiences(audiences, 'docs'),
    actions: docsActions,
    erase: docsErasure,
    version: 1,
    events: docsEvents,
    filter: docsFilter,
    keys: docsKeys,
    keysOf: docsKeysOf,
    matches: docsMatches,
    content: docsContent,
    serialize: (event): DocsEvent => carrying(carry, event),
    orderingKey: ({ collection, id }) => orderingKeyOf([collection, id]),
    api: docsApi,
  })
  return definePlugin({ name: 'docs', apiVersion: 1, migrations, sources: [source] })
}
