/** Error codes of a plugin's own, typed: what core has no word for, such as a room that is taken. */
import { ERROR_CODES, OutbusError, quoted } from '../errors.ts'
import type { OutbusErrorDetails } from '../errors.ts'
import { isOutbusError } from '../errors.ts'

/** The class of a plugin's own errors: an `OutbusError` whose `code` is one of those that the plugin declares. */
export interface PluginErrors<Code extends string> {
  new (code: Code, message: string, details?: OutbusErrorDetails): OutbusError<Code>
  /** Every code, with the plugin's name in it. */
  readonly codes: readonly Code[]
  /** Whether it is an error of this plugin, from whichever copy of it, and has this code, if one is given. */
  is<C extends Code = Code>(error: unknown, code?: C): error is OutbusError<C>
}

/** The codes of such a class, as a type: `type BookingsErrorCode = CodeOf<typeof BookingsError>`. */
export type CodeOf<E extends PluginErrors<string>> = E['codes'][number]

const PLUGIN_NAME = /^[a-z][a-z0-9_-]{0,39}$/
const ERROR_NAME = /^[a-z][a-z0-9_]{0,39}$/

/**
 * Declares the errors of a plugin. `plugin` is the name of its source or the type of its target, and each code is
 * `<plugin>.<name>`:
 *
 *     export const BookingsError = defineErrors('bookings', ['taken', 'closed'])
 *     throw new BookingsError('bookings.taken', 'the room is taken', { path: 'room', received: room })
 *
 * Errors: `plugin.invalid` for a name that is none, and for one that core has codes of its own under, such as `trigger`.
 */
export function defineErrors<const Plugin extends string, const Name extends string>(
  plugin: Plugin,
  names: readonly Name[],
): PluginErrors<`${Plugin}.${Name}`> {
  type Code = `${Plugin}.${Name}`
  assertNames(plugin, names)
  const codes = names.map((name): Code => `${plugin}.${name}`)
  return class PluginError extends OutbusError<Code> {
    static readonly codes: readonly Code[] = codes

    static is<C extends Code = Code>(error: unknown, code?: C): error is OutbusError<C> {
      return isOutbusError<string>(error, code) && (codes as readonly string[]).includes(error.code)
    }

    constructor(code: Code, message: string, details?: OutbusErrorDetails) {
      super(code, message, details)
      // Callers in JavaScript have no compiler.
      if (codes.includes(code)) return
      throw new OutbusError('plugin.invalid', `${quoted(plugin)} declares no error ${quoted(code)}`, {
        path: 'code',
        received: code,
        hint: `declared: ${codes.join(', ')}`,
      })
    }
  }
}

function assertNames(plugin: unknown, names: readonly unknown[]): void {
  const refuse = (message: string, received: unknown) =>
    new OutbusError('plugin.invalid', `defineErrors: ${message}`, { path: 'errors', received })
  if (typeof plugin !== 'string' || !PLUGIN_NAME.test(plugin))
    throw refuse('the plugin is named as its source or target is', plugin)
  if (ERROR_CODES.some((code) => code.startsWith(`${plugin}.`)))
    throw refuse(`codes that begin with ${plugin} are core's`, plugin)
  for (const name of names)
    if (typeof name !== 'string' || !ERROR_NAME.test(name))
      throw refuse('a code is of a-z, 0-9 and _, begins with a letter, and has at most 40 characters', name)
}
