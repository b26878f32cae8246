/**
 * Depth and chain travel over HTTP in one header, and a second header proves that a peer wrote it:
 *
 *     outbus-causality: depth=2;root=<uuid>;chain=<uuid>,<uuid>
 *     outbus-causality-signature: t=<seconds since 1970>,v1=<HMAC-SHA256 in hex>
 *
 * Whoever sends a request could write the first one, so a listener believes it of its peers alone (G20). The signature is of
 * `outbus-causality.v1.<t>.<the first header>`, by a key that both sides share.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { OutbusError } from '@outbus/core'
import type { Causality } from '@outbus/core'
import { clock, parseWith } from '@outbus/core/plugin'
import { z } from 'zod'

export const CAUSALITY_HEADER = 'outbus-causality'
export const SIGNATURE_HEADER = 'outbus-causality-signature'

/** Peers that share a key with the listener. */
export interface PeerKeys {
  /**
   * Each at least 24 characters. A header is believed that any of them signed: to change the key, add the new one to all listeners,
   * then sign with it, then take the old one away.
   */
  readonly keys: readonly string[]
  /** How far the time of a signature may be off, either way, in ms, from 1,000 to 3,600,000. Default 300,000. */
  readonly windowMs?: number
}

/** Whether the request comes from a peer: `true`, and nothing else, says yes. */
export type PeerTest = (request: Request) => boolean | Promise<boolean>

const key = z.string().min(24).max(1_000)

export const peersSchema = z.union([
  z.custom<PeerTest>((value) => typeof value === 'function', 'is a function, or { keys }'),
  z.strictObject({
    keys: z.array(key).min(1).max(16),
    windowMs: z.number().min(1_000).max(3_600_000).default(300_000),
  }),
])

export type Peers = z.output<typeof peersSchema>

export interface CausalityHeadersOptions {
  /** The key that the other side's listener has in its `peers`. Default none: a listener that goes by a key ignores the header. */
  readonly key?: string
}

const headersOptionsSchema = z.strictObject({ key: key.optional() })

const UUID = '[\\da-f]{8}(?:-[\\da-f]{4}){3}-[\\da-f]{12}'
const FORM = new RegExp(`^depth=(\\d{1,4})(?:;root=(${UUID}))?;chain=((?:${UUID}(?:,${UUID})*)?)$`)
const SIGNATURE = /^t=(\d{1,12}),v1=([\da-f]{64})$/

/**
 * For a request that a handler sends to a service on Outbus: `fetch(url, { headers: causalityHeaders(cx, { key }) })`. None
 * outside of a handler. Send them to nobody else: whoever has them may use them until the window is over.
 */
export function causalityHeaders(
  { causality }: { readonly causality: Causality },
  options: CausalityHeadersOptions = {},
): Record<string, string> {
  const given = parseWith(headersOptionsSchema, options, { code: 'options.invalid', what: 'causalityHeaders' })
  const { depth, rootId, chain } = causality
  if (depth === 0) return {}
  const header = `depth=${depth}${rootId === undefined ? '' : `;root=${rootId}`};chain=${chain.join()}`
  if (given.key === undefined) return { [CAUSALITY_HEADER]: header }
  const seconds = Math.floor(clock.wallClock() / 1_000)
  const signature = `t=${seconds},v1=${macOf(header, seconds, given.key).toString('hex')}`
  return { [CAUSALITY_HEADER]: header, [SIGNATURE_HEADER]: signature }
}

function macOf(header: string, seconds: number, by: string): Buffer {
  return createHmac('sha256', by).update(`outbus-causality.v1.${seconds}.${header}`).digest()
}

/** What a peer says of how its request came about. Undefined for everybody else, whatever they sent. */
export async function causalityOf(request: Request, peers: Peers | undefined): Promise<Causality | undefined> {
  const header = request.headers.get(CAUSALITY_HEADER)
  if (header === null || peers === undefined) return undefined
  // A predicate in JavaScript may say "yes", or hand back what it looked at: neither is its word for a peer.
  const isPeer: unknown = typeof peers === 'function' ? await peers(request) : isSigned(request, header, peers)
  return isPeer === true ? readCausality(header) : undefined
}

function isSigned(request: Request, header: string, { keys, windowMs }: Exclude<Peers, PeerTest>): boolean {
  const [, time, mac] = SIGNATURE.exec(request.headers.get(SIGNATURE_HEADER) ?? '') ?? []
  if (time === undefined || mac === undefined) return false
  const seconds = Number(time)
  if (Math.abs(clock.wallClock() - seconds * 1_000) > windowMs) return false
  const given = Buffer.from(mac, 'hex')
  return keys.some((by) => timingSafeEqual(given, macOf(header, seconds, by)))
}

/** Of a peer, one that cannot be read is refused: ignoring it would let a loop go on for ever. */
function readCausality(header: string): Causality {
  const [, depth, rootId, chain] = FORM.exec(header) ?? []
  if (depth === undefined || chain === undefined) {
    throw new OutbusError('event.invalid', `the header ${CAUSALITY_HEADER} is not of the form that Outbus sends`, {
      path: `headers.${CAUSALITY_HEADER}`,
      received: header,
    })
  }
  return { depth: Number(depth), rootId, chain: chain === '' ? [] : chain.split(',') }
}

const TRACEPARENT = /^(?!ff)[\da-f]{2}-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}$/

/**
 * One that cannot be read is no trace, as the W3C recommendation says. A stranger's is handed on: it names a trace for people to
 * look at, and decides nothing.
 */
export function readTraceparent(header: string | null): string | undefined {
  return header !== null && TRACEPARENT.test(header) ? header : undefined
}
