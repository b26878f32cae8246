/** What a thrown value says of itself. None of these calls throws, whatever the value is. */
import { isError } from '../validation/kinds.ts'

/** The reason that a handler gives for its verdict: a text, or whatever it has instead. */
export function reasonOf(reason: unknown): string {
  return typeof reason === 'string' ? reason : messageOf(reason)
}

export function messageOf(thrown: unknown): string {
  const message = textOf(() => (thrown as Error).message)
  if (message !== undefined && message !== '') return message
  try {
    return isError(thrown) ? thrown.name : `threw ${String(thrown)}`
  } catch {
    // Its toString throws as well: that it was thrown is all there is to say.
    return 'threw a value that cannot be shown'
  }
}

export function textOf(read: () => unknown): string | undefined {
  try {
    const value = read()
    return typeof value === 'string' ? value : undefined
  } catch {
    // A getter of the thrown value threw, or it is null or undefined: it has no such text.
    return undefined
  }
}
