/**
 * npm run sbom [--silent] [-- folder …]: a CycloneDX list of what published packages need in production, on standard output.
 *
 * `npm sbom --omit dev` in this repository leaves out whatever a workspace needs in production and the root in development,
 * such as `pg`. So npm is given a project of its own: the production part of the lock file, in which nothing else stands.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LockedPackage } from './production-packages.ts'
import { productionPaths, publishedFolders, readLock } from './production-packages.ts'

export function sbomOf(folders: readonly string[]): string {
  const lock = readLock()
  const names = Object.fromEntries(
    folders.map((folder) => [lock.packages[folder]?.name, lock.packages[folder]?.version]),
  )
  const root = { name: 'outbus', version: '0.1.0', license: 'Apache-2.0', dependencies: names }
  const packages: Record<string, object> = { '': root }
  for (const path of productionPaths(lock, folders))
    packages[placeIn(lock.packages, path)] = entryOf(lock.packages, path)
  const folder = mkdtempSync(join(tmpdir(), 'outbus-sbom-'))
  // npm calls the project as its folder is called.
  const project = join(folder, root.name)
  try {
    mkdirSync(project)
    writeFileSync(join(project, 'package.json'), JSON.stringify({ ...root, private: true }))
    writeFileSync(
      join(project, 'package-lock.json'),
      JSON.stringify({ name: root.name, version: root.version, lockfileVersion: lock.lockfileVersion, packages }),
    )
    const args = [
      'sbom',
      '--sbom-format',
      'cyclonedx',
      '--sbom-type',
      'library',
      '--omit',
      'dev',
      '--package-lock-only',
    ]
    return execFileSync('npm', args, { cwd: project, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

type Packages = Readonly<Record<string, LockedPackage>>

/** A workspace stands where its package would be installed. */
function placeIn(packages: Packages, path: string): string {
  return path.startsWith('node_modules/') ? path : `node_modules/${String(packages[path]?.name)}`
}

/** Without what the lock file says of the package's part in this repository. */
function entryOf(packages: Packages, path: string): object {
  const { link, resolved, ...entry } = packages[path] ?? {}
  const kept = link === true ? packages[String(resolved)] : entry
  return Object.fromEntries(
    Object.entries(kept ?? {}).filter(([name]) => !['dev', 'devOptional', 'devDependencies', 'peer'].includes(name)),
  )
}

if (import.meta.main) {
  const given = process.argv.slice(2)
  process.stdout.write(sbomOf(given.length === 0 ? publishedFolders(readLock()) : given))
}
