/** `npm run docs:reference`: writes docs/reference, or with `--check` says which of its pages are not what the code says. */
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { referencePages } from './pages.ts'

const FOLDER = new URL('../../docs/reference/', import.meta.url)

export interface CheckedPage {
  readonly file: string
  /** Undefined: there is no such file. */
  readonly is: string | undefined
  /** Undefined: there should be no such file. */
  readonly shouldBe: string | undefined
}

/** Each page as it is and as it should be. */
export async function checkedPages(): Promise<readonly CheckedPage[]> {
  const pages = referencePages()
  const files = new Set([...pages.keys(), ...(existsSync(FOLDER) ? await readdir(FOLDER) : [])])
  return Promise.all([...files].map(async (file) => ({ file, is: await read(file), shouldBe: pages.get(file) })))
}

async function read(file: string): Promise<string | undefined> {
  try {
    return await readFile(new URL(file, FOLDER), 'utf8')
  } catch (error) {
    // A page that has not been written yet.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

if (import.meta.main) {
  if (!process.argv.includes('--check')) await mkdir(FOLDER, { recursive: true })
  for (const { file, is, shouldBe } of await checkedPages()) {
    if (is === shouldBe) continue
    if (process.argv.includes('--check')) {
      process.stderr.write(`docs/reference/${file} is not what the code says: npm run docs:reference\n`)
      process.exitCode = 1
    } else if (shouldBe === undefined) await rm(new URL(file, FOLDER))
    else await writeFile(new URL(file, FOLDER), shouldBe)
  }
}
