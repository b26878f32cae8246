/** The command, on a copy of what it needs of this repository, with an npm that does as it is told. */
import { spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { REPOSITORY } from './copy.ts'

const COPIED = ['package.json', 'tsconfig.json', 'tsconfig.base.json', '.oxfmtrc.json', 'LICENSE', 'demo/package.json']

let folder: string
let repository: string
let tsconfig: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'outbus-new-plugin-'))
  repository = join(folder, 'repository')
  for (const file of COPIED) cpSync(join(REPOSITORY, file), join(repository, file))
  cpSync(join(REPOSITORY, 'plugin-template'), join(repository, 'plugin-template'), {
    recursive: true,
    filter: (file) => !/node_modules|dist/.test(file),
  })
  cpSync(join(REPOSITORY, 'scaffold/src'), join(repository, 'scaffold/src'), { recursive: true })
  symlinkSync(join(REPOSITORY, 'node_modules'), join(repository, 'node_modules'))
  tsconfig = readFileSync(join(repository, 'tsconfig.json'), 'utf8')
  npmDoes('exit 0')
})
afterEach(() => rmSync(folder, { recursive: true }))

function npmDoes(script: string): void {
  mkdirSync(join(folder, 'bin'), { recursive: true })
  writeFileSync(join(folder, 'bin/npm'), `#!/bin/sh\n${script}\n`)
  chmodSync(join(folder, 'bin/npm'), 0o755)
}

const command = (...parameters: string[]) => [
  '--conditions=outbus-source',
  join(repository, 'scaffold/src/new-plugin.ts'),
  ...parameters,
]
const environment = () => ({
  ...process.env,
  INIT_CWD: repository,
  PATH: `${join(folder, 'bin')}${delimiter}${process.env['PATH']}`,
})

function newPlugin(...parameters: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, command(...parameters), {
    env: environment(),
    encoding: 'utf8',
  })
  return { status, stdout, stderr }
}

const inTsconfig = (name: string) =>
  readFileSync(join(repository, 'tsconfig.json'), 'utf8').split(`"plugins/${name}"`).length - 1

test.for(['target', 'both'])('a name that has one of the template %s in it becomes its package name', (kind) => {
  expect(newPlugin('plugin-name-three', '--kind', kind)).toMatchObject({ status: 0, stderr: '' })
  const manifest = readFileSync(join(repository, 'plugins/plugin-name-three/package.json'), 'utf8')
  expect(JSON.parse(manifest)).toMatchObject({ name: '@outbus/plugin-name-three' })
})

test('what npm says is shown when it fails, and nothing stays behind', () => {
  npmDoes('echo "npm error the registry is on fire: $*" >&2; exit 1')
  const { status, stderr } = newPlugin('order-book')
  expect(status).toBe(73)
  expect(stderr).toContain('the registry is on fire: install --prefer-offline --loglevel=error')
  expect(stderr).toContain('nothing was made')
  expect(existsSync(join(repository, 'plugins/order-book'))).toBe(false)
  expect(readFileSync(join(repository, 'tsconfig.json'), 'utf8')).toBe(tsconfig)
  npmDoes('exit 0')
  expect(newPlugin('order-book').status).toBe(0)
})

test('made again after its folder was deleted, the compiler is told of it once', () => {
  expect(newPlugin('order-book').status).toBe(0)
  rmSync(join(repository, 'plugins/order-book'), { recursive: true })
  expect(newPlugin('order-book').status).toBe(0)
  expect(inTsconfig('order-book')).toBe(1)
})

test('without npm install it is said that there is one to come', () => {
  npmDoes('exit 1')
  const { status, stdout } = newPlugin('order-book', '--no-install')
  expect(status).toBe(0)
  expect(stdout).toContain('  npm install\n  npm test -w plugins/order-book\n')
})

test('a reader that leaves after the first line is no error', async () => {
  const made = spawn(process.execPath, command('order-book'), { env: environment() })
  made.stdout.destroy()
  let stderr = ''
  made.stderr.on('data', (chunk) => (stderr += chunk))
  const status = await new Promise((resolve) => made.on('close', resolve))
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(inTsconfig('order-book')).toBe(1)
})

test.for([
  ['plugins/x', 'outside of this repository'],
  ['.', 'outside of this repository'],
  ['', '--out is empty'],
] as const)('--out %j is refused: %s', ([out, reason]) => {
  const { status, stderr } = newPlugin('order-book', '--out', out)
  expect(status).toBe(64)
  expect(stderr).toContain(reason)
  expect(existsSync(join(repository, 'plugins'))).toBe(false)
})

test('a package of its own is made outside, and its packages are packed as they are not published yet', () => {
  const out = join(folder, 'order book')
  const { status, stdout } = newPlugin('order-book', '--out', out)
  expect(status).toBe(0)
  expect(stdout).toContain(`npm pack -w core -w migrations -w test/kit --pack-destination '${out}'\n`)
  expect(stdout).toContain(`cd '${out}' && npm install ./*.tgz\n`)
  expect(readFileSync(join(out, 'vitest.config.ts'), 'utf8')).not.toContain('outbus-source')
})

test('without a name and without a terminal nothing is asked, and what is missing is said', () => {
  const { status, stderr } = newPlugin()
  expect([status, stderr]).toEqual([64, 'new-plugin: give a name: npm run new-plugin -- order-book\n'])
  expect(existsSync(join(repository, 'plugins'))).toBe(false)
})

test('a name that is taken is refused before anything is made', () => {
  expect(newPlugin('demo').status).toBe(64)
  expect(existsSync(join(repository, 'plugins'))).toBe(false)
})
