/**
 * Array texts for statements that take many elements. `pg` would search each element with two regular expressions,
 * which is most of what an emit or a settle costs here.
 */

/** The text of an array parameter. */
export type ArrayText = `{${string}}`

/** For numbers, ids, uuids and plain words, which need no quotes. */
export function plainArray(elements: readonly (string | number | null)[]): ArrayText {
  let text = ''
  for (let i = 0; i < elements.length; i++) text += i === 0 ? (elements[i] ?? 'NULL') : `,${elements[i] ?? 'NULL'}`
  return `{${text}}`
}

/** For JSON texts: without control characters, they need only be quoted once more. */
export function jsonArray(elements: readonly (string | null)[]): ArrayText {
  let text = ''
  for (let i = 0; i < elements.length; i++) {
    const element = elements[i] ?? null
    text += `${i === 0 ? '' : ','}${element === null ? 'NULL' : JSON.stringify(element)}`
  }
  return `{${text}}`
}

/** For any texts. Equal neighbours, which are frequent, are quoted once. */
export function textArray(elements: readonly (string | null)[]): ArrayText {
  let text = ''
  let last: string | null = null
  let quoted = 'NULL'
  for (let i = 0; i < elements.length; i++) {
    const element = elements[i] ?? null
    if (element !== last) {
      last = element
      quoted = element === null ? 'NULL' : `"${element.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
    }
    text += i === 0 ? quoted : `,${quoted}`
  }
  return `{${text}}`
}
