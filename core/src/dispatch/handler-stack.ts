/**
 * Where a handler's own calls end in the stack of what it threw. What follows are the bus's, the same every time, and were two thirds
 * of what a failed attempt writes.
 */

/** Every handler is called from here: this call is what its stack is cut at. */
export function callHandler<Args, Returned>(handler: (args: Args) => Returned, args: Args): Returned {
  return handler(args)
}

/** As the engine shows it; undefined where it shows something else than usual. */
const CALLED_HERE = callHandler(() => new Error('shows the call').stack, undefined)?.split('\n')[2]

/** Without what is below the handler; as it is where that is not to be found. */
export function stackOfHandler(stack: string): string {
  const end = CALLED_HERE === undefined ? -1 : stack.indexOf(`\n${CALLED_HERE}`)
  return end === -1 ? stack : stack.slice(0, end)
}
