/**
 * `npm run check:scaffold`: a source, a target and a plugin with both, untouched, as their author would have them.
 * Within a fresh clone of this repository they are tested. Outside of it, from packed tarballs, they are installed,
 * tested and built. Needs the npm registry.
 */
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { REPOSITORY } from './copy.ts'
import { KINDS } from './names.ts'
import { nextSteps } from './next-steps.ts'

const folder = mkdtempSync(join(tmpdir(), 'outbus-scaffold-'))
// Under root, the Postgres that is installed there runs as another user.
chmodSync(folder, 0o755)
// The first Node on the path is this repository's own; the plugin is to bring its own.
const path = (process.env['PATH'] ?? '').split(':').filter((entry) => !entry.includes('node_modules'))
const env = { ...process.env, PATH: path.join(':'), npm_config_prefer_offline: 'true' }

function run(cwd: string, ...command: [string, ...string[]]): string {
  const [program, ...parameters] = command
  const started = performance.now()
  const { status, stdout, stderr } = spawnSync(program, parameters, { cwd, env, encoding: 'utf8' })
  const seconds = ((performance.now() - started) / 1_000).toFixed(1)
  process.stdout.write(`${status === 0 ? 'ok  ' : 'FAIL'} ${seconds.padStart(5)} s  ${command.join(' ')}\n`)
  if (status !== 0) {
    process.stderr.write(`${stdout}\n${stderr}\n`)
    throw new Error(`${command.join(' ')} ended with ${status}`)
  }
  return stdout
}

try {
  // In a fresh clone of what is committed, where nothing was built: everything has to come from source.
  const clone = join(folder, 'clone')
  run(folder, 'git', 'clone', '--quiet', REPOSITORY, clone)
  // What npm ci would make (16 s), copied (2 s); its links to the workspaces are relative, so they lead into the clone.
  run(REPOSITORY, 'cp', '-a', 'node_modules', clone)
  for (const kind of KINDS) {
    run(clone, 'npm', 'run', '--silent', 'new-plugin', '--', `demo-${kind}`, '--kind', kind)
    run(clone, 'npm', 'test', '-w', `plugins/demo-${kind}`)
    run(clone, 'npm', 'run', 'format:check', '--', `plugins/demo-${kind}`)
  }

  for (const kind of KINDS) {
    const name = `some-${kind}`
    const plugin = join(folder, name)
    run(REPOSITORY, 'npm', 'run', '--silent', 'new-plugin', '--', name, '--kind', kind, '--out', plugin)
    const steps = nextSteps({ folder: plugin, where: plugin, isStandAlone: true, isInstalled: false })
    run(REPOSITORY, 'sh', '-c', steps.join(' && '))
    run(plugin, 'npm', 'run', 'build')
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
