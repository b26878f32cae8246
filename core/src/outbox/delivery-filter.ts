/** Selects deliveries, for listings and for ending many. */
import { z } from 'zod'
import { OutbusError } from '../errors.ts'
import { assertUuid } from '../validation/ids.ts'
import type { DeliveryFilterParameters } from '../sql/deliveries/delivery-row.ts'
import { dateSchema } from '../validation/kinds.ts'
import { keySchema, nameSchema } from '../validation/names.ts'
import { parseWith } from '../validation/zod-error.ts'
import type { DeliveryState } from '../contract/delivery-state.ts'
import { DELIVERY_STATES } from '../contract/delivery-state.ts'
import { isoText } from '../time/clock.ts'

/** A delivery has to fit every member that is named. */
export interface DeliveryFilter {
  /** The trigger's name when the event was emitted. */
  readonly triggerName?: string
  readonly triggerId?: string
  readonly source?: string
  readonly eventId?: string
  /** The ordering key, which rows of `ordered` triggers have. */
  readonly key?: string
  /** One state or several. `leased` includes `running`: every row under a lease, expired or not. */
  readonly state?: DeliveryState | readonly DeliveryState[]
  /** Due before this, by the database's clock. */
  readonly dueBefore?: Date
}

/** For calls that change many: a filter that restricts, or `{ all: true }`. */
export type DeliverySelection = DeliveryFilter | { readonly all: true }

/** The times that both Postgres and ISO text can express. */
const time = dateSchema(z.date().min(new Date('0001-01-01T00:00:00Z')).max(new Date('9999-12-31T23:59:59Z')))
const state = z.enum(DELIVERY_STATES)

export const deliveryFilterSchema = z.strictObject({
  triggerName: nameSchema('options.invalid').exactOptional(),
  triggerId: z.string().exactOptional(),
  source: nameSchema('options.invalid').exactOptional(),
  eventId: z.string().exactOptional(),
  key: keySchema().exactOptional(),
  state: z.union([state, z.array(state).min(1)]).exactOptional(),
  dueBefore: time.exactOptional(),
})
const selectionSchema = deliveryFilterSchema.extend({ all: z.literal(true).exactOptional() })

type ParsedFilter = z.output<typeof deliveryFilterSchema>

/** The parameters of a filter, without the range of ids. */
export type Restriction = DeliveryFilterParameters extends [...infer Rest, string, string] ? Rest : never

export function restrictionOf(app: string, filter: ParsedFilter, path: string): Restriction {
  const at = (member: string) => (path === '' ? member : `${path}.${member}`)
  return [
    app,
    filter.eventId === undefined ? null : assertUuid(filter.eventId, 'an event id', at('eventId')),
    filter.triggerId === undefined ? null : assertUuid(filter.triggerId, 'a trigger id', at('triggerId')),
    filter.key ?? null,
    filter.dueBefore === undefined ? null : isoText(filter.dueBefore),
    statesOf(filter.state),
    filter.triggerName ?? null,
    filter.source ?? null,
    null,
  ]
}

/** An empty filter must not mean every delivery. */
export function readSelection(app: string, selection: unknown, what: string): Restriction {
  const { all, ...filter } = parseWith(selectionSchema, selection, { code: 'options.invalid', what, path: 'selection' })
  const restriction = restrictionOf(app, filter, 'selection')
  const restricts = restriction.slice(1).some((parameter) => parameter !== null)
  if (restricts && all === true) {
    throw new OutbusError('options.invalid', 'the selection says { all: true } and restricts as well', {
      path: 'selection.all',
      hint: 'leave one of the two out',
    })
  }
  if (restricts || all === true) return restriction
  throw new OutbusError('delivery.filter_required', 'the selection names every delivery of the app', {
    path: 'selection',
    received: selection,
    hint: 'restrict it, or say { all: true }',
  })
}

/** Whoever may not touch what others registered means their own deliveries. */
export function ofRegistrant(restriction: Restriction, registrant: string | undefined): Restriction {
  return [...restriction.slice(0, -1), registrant ?? null] as unknown as Restriction
}

function statesOf(given: ParsedFilter['state']): readonly DeliveryState[] | null {
  if (given === undefined) return null
  const states = new Set<DeliveryState>([given].flat())
  if (states.has('leased')) states.add('running')
  return [...states]
}
