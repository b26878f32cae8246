/** Another commit in a folder of its own, with the packages that it needs and this benchmark's sources. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { OWN_SOURCES } from './child.ts'
import { UsageError } from '@outbus/test-kit/flags'

const REPOSITORY = join(OWN_SOURCES, '..', '..')
const run = promisify(execFile)
/** How much of the output of npm an error shows. */
const LAST_CHARACTERS = 2_000

export interface Checkout extends AsyncDisposable {
  /** Its commit, cut to seven digits. */
  readonly label: string
  /** This benchmark's sources, beside the packages of that commit. */
  readonly sources: string
}

/** What the present folder is called: its commit, and whether anything was changed since. */
export async function describePresent(): Promise<string> {
  const head = await git('rev-parse', '--short=7', 'HEAD')
  return (await git('status', '--porcelain', '--untracked-files=no')) === '' ? head : `${head}+changes`
}

export async function checkOut(commit: string, signal: AbortSignal): Promise<Checkout> {
  const found = await resolveCommit(commit)
  const folder = await mkdtemp(join(tmpdir(), 'outbus-compare-'))
  const tree = join(folder, 'tree')
  const remove = async () => {
    // It is tried again, since a process that was killed may write its last file while its folder is being removed.
    await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 })
    // A worktree without its folder is only a line that git keeps; one that was never added has no such line.
    await git('worktree', 'remove', '--force', tree).catch(() => {})
  }
  try {
    await git('worktree', 'add', '--detach', '--quiet', tree, found)
    await providePackages(tree, signal)
    // The test kit is a tool of the benchmark's, and is not measured.
    for (const folder of [join('bench', 'src'), join('test', 'kit', 'src'), join('test', 'kit', 'package.json')]) {
      await rm(join(tree, folder), { recursive: true, force: true })
      await cp(join(REPOSITORY, folder), join(tree, folder), { recursive: true })
    }
    const sources = join(tree, 'bench', 'src')
    return { label: found.slice(0, 7), sources, [Symbol.asyncDispose]: remove }
  } catch (error) {
    await remove()
    signal.throwIfAborted()
    throw error
  }
}

async function resolveCommit(commit: string): Promise<string> {
  try {
    return await git('rev-parse', '--verify', '--quiet', '--end-of-options', `${commit}^{commit}`)
  } catch (error) {
    throw new UsageError(`--compare ${JSON.stringify(commit)}: there is no such commit here`, { cause: error })
  }
}

/** Where the lock file is the same, so are the packages: they are linked. Else they are installed, without their scripts. */
async function providePackages(tree: string, signal: AbortSignal): Promise<void> {
  const lockOf = (root: string) => readFile(join(root, 'package-lock.json'), 'utf8')
  if ((await lockOf(tree)) === (await lockOf(REPOSITORY)))
    return linkPackages(join(REPOSITORY, 'node_modules'), join(tree, 'node_modules'))
  await install(tree, signal)
}

/** Resolves, and rejects, only when npm has ended: what it still writes could not be removed. */
async function install(tree: string, signal: AbortSignal): Promise<void> {
  const npm = spawn('npm', ['ci', '--ignore-scripts', '--prefer-offline'], {
    cwd: tree,
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const end = () => {
    if (npm.pid !== undefined) process.kill(-npm.pid, 'SIGKILL')
  }
  signal.addEventListener('abort', end, { once: true })
  try {
    const [[code], complained] = (await Promise.all([once(npm, 'exit'), text(npm.stderr)])) as [[number | null], string]
    signal.throwIfAborted()
    if (code !== 0) throw new Error(`npm ci failed in the older commit: ${complained.trim().slice(-LAST_CHARACTERS)}`)
  } finally {
    signal.removeEventListener('abort', end)
  }
}

/** Packages are linked to; links of workspaces, which are relative, are made anew and lead into the other tree. */
export async function linkPackages(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true })
  for (const name of await readdir(from)) {
    const [source, target] = [join(from, name), join(to, name)]
    if (name.startsWith('@') && (await lstat(source)).isDirectory()) await linkPackages(source, target)
    else if (!name.startsWith('.')) await symlink(await targetOf(source), target)
  }
}

async function targetOf(source: string): Promise<string> {
  return (await lstat(source)).isSymbolicLink() ? readlink(source) : source
}

async function git(...commandArguments: string[]): Promise<string> {
  const { stdout } = await run('git', commandArguments, { cwd: REPOSITORY })
  return stdout.trim()
}
