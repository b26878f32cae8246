/**
 * Cuts a handler's stack where the bus begins: the bus's lines are always the same, and were two thirds of the text.
 */

/** A handler's stack is cut at this call. */
export function callHandler<Args, Returned>(handler: (args: Args) => Returned, args: Args): Returned {
  return handler(args)
}

/** That call as the engine shows it. `Error.prepareStackTrace` may change it, even into no text. */
const SHOWN: unknown = callHandler(() => new Error('shows the call').stack, undefined)
const CALLED_HERE = (typeof SHOWN === 'string' && SHOWN.split('\n')[2]) || undefined

/** Returns the whole stack where the call is not found. */
export function stackOfHandler(stack: string): string {
  const end = CALLED_HERE === undefined ? -1 : stack.indexOf(`\n${CALLED_HERE}`)
  return end === -1 ? stack : stack.slice(0, end)
}
