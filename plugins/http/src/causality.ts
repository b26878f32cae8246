/**
 * How depth and chain travel over HTTP, in one header:
 *
 *     outbus-causality: depth=2;root=<uuid>;chain=<uuid>,<uuid>
 */
import type { Causality } from '@outbus/core'
import { OutbusError } from '@outbus/core'

export const CAUSALITY_HEADER = 'outbus-causality'

const UUID = '[\\da-f]{8}(?:-[\\da-f]{4}){3}-[\\da-f]{12}'
const FORM = new RegExp(`^depth=(\\d{1,4})(?:;root=(${UUID}))?;chain=((?:${UUID}(?:,${UUID})*)?)$`)

/** For a request that a handler sends: `fetch(url, { headers: causalityHeaders(cx) })`. */
export function causalityHeaders({ causality }: { readonly causality: Causality }): Record<string, string> {
  const { depth, rootId, chain } = causality
  if (depth === 0) return {}
  return { [CAUSALITY_HEADER]: `depth=${depth}${rootId === undefined ? '' : `;root=${rootId}`};chain=${chain.join()}` }
}

const TRACEPARENT = /^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}$/

/** One that cannot be read is no trace, as the W3C recommendation says. */
export function readTraceparent(header: string | null): string | undefined {
  return header !== null && TRACEPARENT.test(header) ? header : undefined
}

/** A header that cannot be read is refused: ignoring it would let a loop go on for ever. */
export function readCausality(header: string | null): Causality | undefined {
  if (header === null) return undefined
  const [, depth, rootId, chain] = FORM.exec(header) ?? []
  if (depth === undefined || chain === undefined) {
    throw new OutbusError('event.invalid', `the header ${CAUSALITY_HEADER} is not of the form that Outbus sends`, {
      path: `headers.${CAUSALITY_HEADER}`,
      received: header,
    })
  }
  return { depth: Number(depth), rootId, chain: chain === '' ? [] : chain.split(',') }
}
