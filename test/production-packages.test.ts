/** What an installation of Outbus brings along: each of these packages is code that its service trusts. */
import { expect, test } from 'vitest'
import { productionPaths, publishedFolders, readLock, readManifest, thirdParties } from './production-packages.ts'
import { sbomOf } from './sbom.ts'

/** SECURITY.md states it. A new dependency has to be worth a higher number here. */
const PACKAGES_OF_CORE = 41

test('core needs no more packages in production than it says', () => {
  const lock = readLock()
  const needed = thirdParties(lock, productionPaths(lock, ['core']))
  expect(needed).toHaveLength(PACKAGES_OF_CORE)
  expect(needed.filter((name) => /^(yargs|cliui|glob|jiti|commander)@/.test(name))).toEqual([])
})

test('no package that a published one needs runs a script when it is installed, and no published one does', () => {
  const lock = readLock()
  const published = publishedFolders(lock)
  expect(published).toEqual(expect.arrayContaining(['core', 'migrations', 'plugins/kv', 'plugins/http']))
  const paths = productionPaths(lock, published)
  expect(paths.filter((path) => lock.packages[path]?.hasInstallScript === true)).toEqual([])
  const scripted = published.filter((folder) =>
    ['preinstall', 'install', 'postinstall', 'prepare'].some((name) => name in (readManifest(folder).scripts ?? {})),
  )
  expect(scripted).toEqual([])
})

test('the lock file names no registry, and has the sum of every package', () => {
  const { packages } = readLock()
  const thirds = Object.entries(packages).filter(([path, { link }]) => path.includes('node_modules/') && link !== true)
  expect(thirds.filter(([, { resolved }]) => resolved !== undefined)).toEqual([])
  expect(thirds.filter(([, entry]) => !('integrity' in entry)).map(([path]) => path)).toEqual([])
})

test('npm run sbom lists what core needs in production, each with its sum, and nothing of this repository besides', () => {
  const lock = readLock()
  const sbom = JSON.parse(sbomOf(['core'])) as {
    readonly bomFormat: string
    readonly components: { name: string; version: string; hashes?: object[] }[]
  }
  expect(sbom.bomFormat).toBe('CycloneDX')
  const thirds = sbom.components.filter(({ name }) => !name.startsWith('@outbus/'))
  expect(thirds.map(({ name, version }) => `${name}@${version}`).toSorted()).toEqual(
    thirdParties(lock, productionPaths(lock, ['core'])).toSorted(),
  )
  expect(thirds.filter(({ hashes }) => hashes === undefined)).toEqual([])
  expect(sbom.components.map(({ name }) => name).filter((name) => name.startsWith('@outbus/'))).toEqual([
    '@outbus/core',
    '@outbus/migrations',
  ])
  expect(JSON.stringify(sbom)).not.toMatch(/file:|https?:\/\/registry/)
})
