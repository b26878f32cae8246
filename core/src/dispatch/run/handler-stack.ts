/**
 * Where a handler's own calls end in the stack of what it threw. What follows are the bus's, the same every time, and were two thirds
 * of what a failed attempt writes.
 */

/** Every handler is called from here: this call is what its stack is cut at. */
export function callHandler<Args, Returned>(handler: (args: Args) => Returned, args: Args): Returned {
  return handler(args)
}

/** As the engine shows it. Whoever has set `Error.prepareStackTrace` may show anything, and not even as a text. */
const SHOWN: unknown = callHandler(() => new Error('shows the call').stack, undefined)
const CALLED_HERE = (typeof SHOWN === 'string' && SHOWN.split('\n')[2]) || undefined

/** Without what is below the handler; as it is where that is not to be found. */
export function stackOfHandler(stack: string): string {
  const end = CALLED_HERE === undefined ? -1 : stack.indexOf(`\n${CALLED_HERE}`)
  return end === -1 ? stack : stack.slice(0, end)
}
