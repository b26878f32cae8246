/** Tables and code of generated pages. */

/** A cell of a table: one line, in which `|` ends nothing. */
function cell(text: string): string {
  return inSentences(linked(text)).replaceAll(/\s+/g, ' ').replaceAll('|', '\\|').trim()
}

/** A docstring is read as one line: what was a list in it becomes sentences. */
function inSentences(text: string): string {
  return text.replaceAll(/(?<=[:.,;]) - (?=`)/g, ' ')
}

/** Documents that a docstring names are links from docs/reference. */
function linked(text: string): string {
  return text.replaceAll(/(?<![\w/`[])docs\/([a-z-]+\.md)/g, '[docs/$1](../$1)')
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.map(cell).join(' | ')} |`).join('\n')
}

/** Prose in lines of at most 120 columns. Tables, code and headings stay as they are. */
export function wrapped(page: string): string {
  let isCode = false
  return page
    .split('\n')
    .map((line) => {
      if (line.startsWith('```')) isCode = !isCode
      return isCode || /^[|#`]/.test(line) ? line : inSentences(line).replaceAll(/(?=.{121})(.{1,120}) /g, '$1\n')
    })
    .join('\n')
}

export function code(text: string): string {
  return `\`${text}\``
}

export function block(text: string): string {
  return `\`\`\`ts\n${text}\n\`\`\``
}
