/** Requests that never wait for a permit. */
import { ExecutionGate } from '../../../core/src/dispatch/gate/gate.ts'

/** Requests may use what is not running, and here nothing ever is; deliveries keep to their own share. */
export function bypassGateBySync(): void {
  Object.defineProperty(ExecutionGate.prototype, 'running', { get: () => 0 })
  const gate = new ExecutionGate(2, 1)
  const { signal } = new AbortController()
  for (const permits of [gate.requests, gate.deliveries]) {
    for (let asked = 0; asked < 3; asked++) void permits.reserve(2, signal)
  }
  // Two of the deliveries': a third of what was asked for them has been given.
  if (gate.waiting !== 2) throw new Error('the gate does not ask what runs any more: core has changed')
}
