/** From the bytes of a request to JSON. */
import { isOutbusError, OutbusError } from '@outbus/core'
import { encodeJson } from '@outbus/core/plugin'
import type { JsonValue } from '@outbus/core/plugin'
import { visit } from 'jsonc-parser'

export interface Body {
  readonly body: JsonValue
  readonly encoding: 'json' | 'text' | 'base64' | null
}

const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json$/
const TEXT_TYPE = /^(?:text\/.*|application\/(?:x-www-form-urlencoded|xml|[\w.+-]+\+xml))$/

/** Whether the body is under a content coding. None is undone: a few bytes of gzip can be gigabytes. */
export function isCoded(request: Request): boolean {
  return !/^(?:identity)?$/i.test(request.headers.get('content-encoding')?.trim() ?? '')
}

export interface BodyLimits {
  readonly maxBytes: number
  /** Aborts when the client's time is over. */
  readonly over: AbortSignal
}

/** What became of a body that never came. */
export class BodyNotThere extends Error {
  readonly why: 'slow' | 'ended early'

  constructor(why: 'slow' | 'ended early', cause?: unknown) {
    super(`the body of the request is not there: ${why}`, { cause })
    this.why = why
  }
}

/** Reads no more than `maxBytes`; a longer body is `payload.too_large`. Rejects with {@link BodyNotThere} where it does not come. */
export async function readBody(request: Request, { maxBytes, over }: BodyLimits): Promise<Body> {
  const bytes = await readBytes(request, maxBytes, over)
  if (bytes.length === 0) return { body: null, encoding: null }
  const type = (request.headers.get('content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''
  if (JSON_TYPE.test(type)) return { body: parseJson(decodeText(bytes), maxBytes), encoding: 'json' }
  if (TEXT_TYPE.test(type)) return { body: decodeText(bytes), encoding: 'text' }
  return { body: bytes.toString('base64'), encoding: 'base64' }
}

async function readBytes(request: Request, maxBytes: number, over: AbortSignal): Promise<Buffer> {
  const announced = Number(request.headers.get('content-length') ?? 0)
  if (announced > maxBytes) throw tooLarge(maxBytes)
  if (request.body === null) return Buffer.alloc(0)
  const reader: ReadableStreamDefaultReader<Uint8Array> = request.body.getReader()
  let giveUp = () => {}
  // Not by `Promise.withResolvers`, which the application's own `Promise` may not have.
  const slow = new Promise<never>((_, reject) => (giveUp = () => reject(new BodyNotThere('slow'))))
  over.addEventListener('abort', giveUp, { once: true })
  if (over.aborted) giveUp()
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    for (;;) {
      const { done, value } = await Promise.race([reader.read(), slow])
      if (done) return Buffer.concat(chunks)
      size += value.length
      if (size > maxBytes) throw tooLarge(maxBytes)
      chunks.push(value)
    }
  } catch (error) {
    // What is left of it is not read. That the connection is lost already changes nothing.
    reader.cancel().catch(() => undefined)
    throw isOutbusError(error) || error instanceof BodyNotThere ? error : new BodyNotThere('ended early', error)
  } finally {
    over.removeEventListener('abort', giveUp)
  }
}

function tooLarge(limit: number): OutbusError {
  return new OutbusError('payload.too_large', `the body is larger than ${limit} bytes`, { path: 'body', limit })
}

function decodeText(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new OutbusError('payload.not_json', 'the body is not UTF-8', { path: 'body', cause })
  }
}

function parseJson(text: string, maxBytes: number): JsonValue {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new OutbusError('payload.not_json', `the body is not JSON: ${(cause as Error).message}`, {
      path: 'body',
      received: text,
      cause,
    })
  }
  // Refuses what is too deep before the next reader, which is recursive.
  try {
    encodeJson(value, { maxBytes })
  } catch (error) {
    if (!isOutbusError(error, 'payload.non_finite')) throw error
    // JSON has no word for infinity: it was a number that no double holds, such as 1e400.
    throw new OutbusError('payload.number_range', 'the body has a number that is out of range', {
      path: 'body',
      cause: error,
    })
  }
  refuseDuplicateKeys(text)
  return value as JsonValue
}

/** `JSON.parse` keeps the last one of them and other readers the first: what was meant cannot be known. */
function refuseDuplicateKeys(text: string): void {
  const objects: Set<string>[] = []
  visit(text, {
    onObjectBegin: () => void objects.push(new Set()),
    onObjectEnd: () => void objects.pop(),
    onObjectProperty(property) {
      const keys = objects.at(-1)
      if (keys?.has(property) === true) {
        throw new OutbusError(
          'payload.duplicate_key',
          `the body has the key ${JSON.stringify(property)} twice in one object`,
          {
            path: 'body',
            received: property,
          },
        )
      }
      keys?.add(property)
    },
  })
}
