/** A second copy of `pg`, as pnpm or a nested install gives an application: its classes are not those that core imports. */
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type pg from 'pg'

const here = createRequire(import.meta.url)

/** Copies `pg` and what it depends on into a temporary folder and loads it from there. `remove` deletes the folder. */
export async function loadSecondPg(): Promise<{ readonly pg: typeof pg; remove(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'outbus-second-pg-'))
  await copyPackage('pg', here, join(folder, 'node_modules'), new Set())
  const second = createRequire(join(folder, 'index.js'))('pg') as typeof pg
  return { pg: second, remove: () => rm(folder, { recursive: true, force: true }) }
}

async function copyPackage(name: string, from: NodeJS.Require, modules: string, copied: Set<string>): Promise<void> {
  if (copied.has(name)) return
  copied.add(name)
  const manifest = manifestOf(name, from)
  await cp(dirname(manifest), join(modules, name), { recursive: true })
  const { dependencies = {} } = JSON.parse(await readFile(manifest, 'utf8')) as { dependencies?: object }
  const within = createRequire(manifest)
  for (const dependency of Object.keys(dependencies)) await copyPackage(dependency, within, modules, copied)
}

/** Not by resolving `<name>/package.json`, which a package need not export. */
function manifestOf(name: string, from: NodeJS.Require): string {
  const entry = from.resolve(name)
  const marker = join('node_modules', name)
  return join(entry.slice(0, entry.lastIndexOf(marker) + marker.length), 'package.json')
}
