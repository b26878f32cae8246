/** A case of `npm run bench:worst`, and what makes cases of matching. */
import { isOutbusError } from '@outbus/core'
import type { AnyPlugin, AnySource } from '@outbus/core/plugin'
import type { StoredTrigger } from '@outbus/core/matching'
import { MatchingIndex } from '@outbus/core/matching'

/** Of an event, as `maxEventBytes` has it. */
export const BYTES = 262_144

export interface Case {
  readonly name: string
  /** What is awaited may give others a turn: then the longest time between two turns counts. */
  readonly run: () => unknown
}

/** As many as fit into an event. */
export function many<T>(size: number, of: (i: number) => T): T[] {
  const items: T[] = []
  for (let bytes = 0; bytes < BYTES - 2_000; bytes += size) items.push(of(items.length))
  return items
}

export const times = <T>(count: number, of: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => of(i))

function rowsOf(source: AnySource, filters: readonly unknown[]): StoredTrigger[] {
  return filters.map((filter, i): StoredTrigger => ({
    epoch: '1',
    id: `00000000-0000-0000-0000-${String(i).padStart(12, '0')}`,
    name: `t${i}`,
    source: source.name,
    filter,
    target: { type: 'function', name: 'f' },
    retry: {},
    priority: 1,
    timeout_ms: 1_000,
    ordered: false,
    transactional: false,
    concurrency: null,
    rate_limit: null,
    registrant: null,
    run_as: 'registrant',
  }))
}

/** The plugin has one source. */
export function sourceOf({ sources = [] }: AnyPlugin): AnySource {
  return sources[0] as AnySource
}

export function indexOf(plugin: AnyPlugin, filters: readonly unknown[]): Promise<MatchingIndex> {
  const source = sourceOf(plugin)
  return MatchingIndex.load('app', '1', rowsOf(source, filters), new Map([[source.name, source]]))
}

export function matching(name: string, plugin: AnyPlugin, filters: readonly unknown[], event: { op: string }): Case {
  let index: MatchingIndex | undefined
  return {
    name,
    run: async () => {
      // Made by the first round, which is not measured.
      index ??= await indexOf(plugin, filters)
      try {
        return index.match(sourceOf(plugin), event)
      } catch (error) {
        // More steps than one event may take: what it took until then is what counts.
        if (isOutbusError(error, 'pattern.too_complex')) return 'refused'
        throw error
      }
    },
  }
}

export const set = (value: unknown) => ({ op: 'set', collection: 'c', key: 'k', value, version: 1 }) as { op: string }
