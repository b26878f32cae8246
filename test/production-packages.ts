/** Which packages an installation of published ones brings along, read from the lock file. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const REPOSITORY = fileURLToPath(new URL('..', import.meta.url))

/** A member of `packages` in a lock file: see npm's page on package-lock.json. */
export interface LockedPackage {
  readonly name?: string
  readonly version?: string
  readonly private?: boolean
  readonly resolved?: string
  readonly link?: boolean
  readonly hasInstallScript?: boolean
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>
}

export interface Lock {
  readonly lockfileVersion: number
  readonly packages: Readonly<Record<string, LockedPackage>>
}

export function readLock(): Lock {
  return JSON.parse(readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8')) as Lock
}

/** Folders of the workspaces that are published: core, its migrations and the plugins. */
export function publishedFolders(lock: Lock): string[] {
  const folders = Object.keys(lock.packages).filter((path) => /^(core|migrations|plugins\/[^/]+)$/.test(path))
  return folders.filter((folder) => readManifest(folder).private !== true)
}

export function readManifest(folder: string): LockedPackage & { readonly scripts?: Readonly<Record<string, string>> } {
  return JSON.parse(readFileSync(`${REPOSITORY}/${folder}/package.json`, 'utf8')) as LockedPackage
}

/**
 * The lock file's paths of everything that the folders need in production, these included. Optional dependencies count;
 * optional peers do not, because npm does not install them.
 */
export function productionPaths(lock: Lock, folders: readonly string[]): string[] {
  const found = new Set<string>()
  const open = [...folders]
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (found.has(path)) continue
    found.add(path)
    const entry = lock.packages[path]
    if (entry === undefined) throw new Error(`the lock file has no ${path}`)
    if (entry.link === true) open.push(String(entry.resolved))
    else open.push(...needsOf(entry).flatMap((name) => placeOf(lock, path, name) ?? []))
  }
  return [...found].toSorted()
}

function needsOf({ dependencies, optionalDependencies, peerDependencies, peerDependenciesMeta }: LockedPackage) {
  const peers = Object.keys(peerDependencies ?? {}).filter((name) => peerDependenciesMeta?.[name]?.optional !== true)
  return [...Object.keys(dependencies ?? {}), ...Object.keys(optionalDependencies ?? {}), ...peers]
}

/** Where Node finds a package from a folder: in its own `node_modules`, or in one further out. */
function placeOf(lock: Lock, from: string, name: string): string | undefined {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/')))) {
    const path = folder === '' ? `node_modules/${name}` : `${folder}/node_modules/${name}`
    if (path in lock.packages) return path
    if (folder === '') return undefined
  }
}

/** `pg@8.23.1`, by name. Workspaces and the links to them are left out. */
export function thirdParties(lock: Lock, paths: readonly string[]): string[] {
  return paths.flatMap((path) => {
    const { link, version } = lock.packages[path] ?? {}
    const start = path.lastIndexOf('node_modules/')
    return link === true || start === -1 ? [] : `${path.slice(start + 'node_modules/'.length)}@${version}`
  })
}
