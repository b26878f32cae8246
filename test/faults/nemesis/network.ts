/** What lies between processes and the server: connections are cut, fall silent, are slow, are refused. */
import type { Fault, Proxy, Subject, World } from '../world.ts'
import { between, last } from './tools.ts'

/** How much longer it lasts than Postgres and the bus wait before they take a connection for dead. */
const STALL_BEYOND_MS = 1_500

export const NETWORK_FAULTS: readonly Fault[] = (['dispatcher', 'emitter'] as const).flatMap((kind) => [
  hurt(
    `proxy-cut-${kind}s`,
    kind,
    (proxy) => proxy.cut(),
    () => 0,
  ),
  hurt(
    `proxy-stalled-${kind}s`,
    kind,
    (proxy) => proxy.stall(),
    (world) => between(world, 200, 1_500),
  ),
  hurt(
    `proxy-stalled-${kind}s-beyond-timeout`,
    kind,
    (proxy) => proxy.stall(),
    ({ frozenAfterMs }) => frozenAfterMs + STALL_BEYOND_MS,
  ),
  // Each chunk is delayed, and a claim is a few of them one after the other.
  hurt(
    `proxy-delayed-${kind}s`,
    kind,
    (proxy, world) => proxy.delay(between(world, 5, 150)),
    (world) => between(world, 1_000, 3_000),
  ),
  hurt(
    `proxy-refusing-${kind}s`,
    kind,
    (proxy) => proxy.refuse(),
    (world) => between(world, 100, 2_000),
  ),
])

function hurt(
  name: string,
  kind: Subject['kind'],
  harm: (proxy: Proxy, world: World) => void,
  lastsMs: (world: World) => number,
): Fault {
  return {
    name,
    strike: async (world, open) => {
      const proxy = world.proxies[kind]
      const window = open(kind === 'dispatcher' ? world.dispatchers : world.emitters)
      try {
        harm(proxy, world)
        await last(world, lastsMs(world))
      } finally {
        proxy.heal()
        window.close()
      }
    },
  }
}
