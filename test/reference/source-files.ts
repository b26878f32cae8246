/** The sources of core, of the plugins and of the template, by their paths from the root of the repository. Tests are left out. */
import { globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

export const SOURCES: readonly string[] = globSync('{core,plugins/*,plugin-template/*}/src/**/*.ts', { cwd: ROOT })
  .map((file) => file.replaceAll('\\', '/'))
  .filter((file) => !file.includes('.test.') && !file.includes('/testing/'))
  .toSorted()

const texts = new Map<string, string>()

export function readSource(file: string): string {
  let text = texts.get(file)
  if (text === undefined) texts.set(file, (text = readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8')))
  return text
}
