/** How a listener asks for what arrives: as the code of the source, which alone requests its events for principals. */
import type { SourceRequests } from '@outbus/core/plugin'
import type { httpEvents } from './events.ts'

type HttpRequests = SourceRequests<typeof httpEvents>

/** By what `api` gave for a context. Whoever has a context, and not this module, has no way to them. */
const requestsByApi = new WeakMap<object, HttpRequests>()

/** `cx.http`, which has no verbs. */
export function apiWith(requests: HttpRequests): object {
  const api = {}
  requestsByApi.set(api, requests)
  return api
}

/** Undefined where the context is not one of a bus with this package's `http()`. */
export function requestsOf(cx: object): HttpRequests | undefined {
  const { http } = cx as { readonly http?: unknown }
  if (typeof http !== 'object' || http === null) return undefined
  // A principal's verbs are an object made from what `api` gave.
  return requestsByApi.get(http) ?? requestsByApi.get(Object.getPrototypeOf(http) as object)
}
