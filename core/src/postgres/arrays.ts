/**
 * Arrays as Postgres reads them, for statements that take many: `pg` would look at every element for characters to escape, by two
 * regular expressions, which is most of what an emit or a settle costs here. Each is for elements that need less.
 */

/** The text of an array parameter. */
export type ArrayText = `{${string}}`

/** Of numbers, ids, uuids and plain words: nothing in them is special. */
export function plainArray(elements: readonly (string | number | null)[]): ArrayText {
  let text = ''
  for (let i = 0; i < elements.length; i++) text += i === 0 ? (elements[i] ?? 'NULL') : `,${elements[i] ?? 'NULL'}`
  return `{${text}}`
}

/** Of JSON texts, which have no control character in them: quoted again they are as Postgres wants them. */
export function jsonArray(elements: readonly (string | null)[]): ArrayText {
  let text = ''
  for (let i = 0; i < elements.length; i++) {
    const element = elements[i] ?? null
    text += `${i === 0 ? '' : ','}${element === null ? 'NULL' : JSON.stringify(element)}`
  }
  return `{${text}}`
}

/** Of any texts: quoted once for neighbours that are the same, as they mostly are. */
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
