/** Wildcards: `*` is any run of characters, `\*` and `\\` are the characters themselves. Linear in the text. Pure. */
import { OutbusError } from '../errors.ts'

export function compileWildcard(text: string, path: string): (value: string) => boolean {
  const pieces = piecesOf(text, path)
  const [first = ''] = pieces
  if (pieces.length === 1) return (value) => value === first
  const last = pieces.at(-1) as string
  const between = pieces.slice(1, -1).map((piece) => ({ piece, find: finderOf(piece) }))
  return (value) => {
    if (value.length < first.length + last.length || !value.startsWith(first) || !value.endsWith(last)) return false
    const end = value.length - last.length
    let at = first.length
    // A piece's first place leaves the most room for the others.
    for (const { piece, find } of between) {
      const found = find(value, at)
      if (found < 0 || found + piece.length > end) return false
      at = found + piece.length
    }
    return true
  }
}

/** At worst `indexOf` compares so many characters at each place. Longer pieces are found in one pass. */
const MAX_INDEX_OF = 64

function finderOf(piece: string): (value: string, from: number) => number {
  if (piece.length <= MAX_INDEX_OF) return (value, from) => value.indexOf(piece, from)
  const fallbacks = fallbacksOf(piece)
  return (value, from) => findByFallbacks(piece, fallbacks, value, from)
}

/** The table of Knuth, Morris and Pratt: for each beginning of the piece, how much of its end is a beginning too. */
function fallbacksOf(piece: string): Uint32Array {
  const fallbacks = new Uint32Array(piece.length)
  let length = 0
  for (let i = 1; i < piece.length; i++) {
    while (length > 0 && piece[i] !== piece[length]) length = fallbacks[length - 1] as number
    if (piece[i] === piece[length]) length++
    fallbacks[i] = length
  }
  return fallbacks
}

function findByFallbacks(piece: string, fallbacks: Uint32Array, value: string, from: number): number {
  let length = 0
  for (let i = from; i < value.length; i++) {
    while (length > 0 && value[i] !== piece[length]) length = fallbacks[length - 1] as number
    if (value[i] === piece[length]) length++
    if (length === piece.length) return i + 1 - length
  }
  return -1
}

interface Ends {
  readonly first: string
  readonly last: string
  /** There is no star, so a match is `first`. */
  readonly alone: boolean
  /** Something is asked of what stands between `first` and `last`. */
  readonly between: boolean
}

export function literalEnds(text: string): Ends {
  const pieces = piecesOf(text, '')
  return {
    first: pieces[0] as string,
    last: pieces.at(-1) as string,
    alone: pieces.length === 1,
    between: pieces.length > 2,
  }
}

/** The texts between the stars. */
function piecesOf(text: string, path: string): string[] {
  const pieces = ['']
  let afterStar = false
  for (let i = 0; i < text.length; i++) {
    let letter = text[i] as string
    if (letter === '*') {
      if (afterStar) throw wildcardProblem('two stars in a row mean no more than one: write one', path, text)
      afterStar = true
      pieces.push('')
      continue
    }
    if (letter === '\\') {
      letter = text[++i] ?? ''
      if (letter !== '*' && letter !== '\\')
        throw wildcardProblem('a backslash stands before a star or a backslash', path, text)
    }
    afterStar = false
    pieces[pieces.length - 1] += letter
  }
  return pieces
}

function wildcardProblem(message: string, path: string, received: string): OutbusError {
  return new OutbusError('pattern.wildcard', message, { path, received })
}
