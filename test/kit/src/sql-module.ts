/**
 * SQL files as a module, so that a bundler carries them along. The files stay what is read and edited; the module is
 * made of them.
 */
import { readdir, readFile } from 'node:fs/promises'

const IDENTIFIER = /^[a-z_$][\w$]*$/i

/**
 * The texts of a folder's `.sql` files by their names without `.sql`, in the order of the names. Line ends are `\n`,
 * whatever the checkout made of them. Hidden files are passed over; any other file is an error.
 */
export async function readSql(folder: URL): Promise<Record<string, string>> {
  const within = folder.pathname.endsWith('/') ? folder : new URL(`${folder.href}/`)
  const files = (await readdir(within)).filter((file) => !file.startsWith('.')).toSorted()
  const entries = files.map(async (file) => {
    if (!file.endsWith('.sql')) throw new Error(`${within.pathname}${file} is no .sql file`)
    const text = await readFile(new URL(file, within), 'utf8')
    return [file.slice(0, -'.sql'.length), text.replaceAll('\r\n', '\n')] as const
  })
  return Object.fromEntries(await Promise.all(entries))
}

/**
 * The module that exports the texts of the folder as `name`. A plugin's test compares its module with it, and
 * `npm test -- -u` writes the module anew:
 *
 *     const made = await sqlModule(new URL('../migrations/', import.meta.url), 'migrations')
 *     await expect(made).toMatchFileSnapshot('migrations.ts')
 */
export async function sqlModule(folder: URL, name: string): Promise<string> {
  const entries = Object.entries(await readSql(folder)).map(([file, text]) => {
    const key = IDENTIFIER.test(file) ? file : `'${file}'`
    return `  ${key}: \`${text.replaceAll(/[\\`]|\$(?=\{)/g, (sign) => `\\${sign}`)}\`,\n`
  })
  return `// Made of the .sql files, which are what is edited. \`npm test -- -u\` makes it anew, and a test compares.
export const ${name}: Readonly<Record<string, string>> = {
${entries.join('')}}
`
}
