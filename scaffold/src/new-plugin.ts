/** `npm run new-plugin -- <name> [--kind source|target] [--out folder]`: asks for what is missing, on a terminal. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { cancel, isCancel, select, text } from '@clack/prompts'
import { Command, Option } from 'commander'
import { addReference, copyTemplate, makeStandAlone, REPOSITORY } from './copy.ts'
import { nameProblem, namesOf } from './names.ts'
import type { Kind } from './names.ts'

/** As sysexits.h has them. */
const EX_USAGE = 64
const EX_CANNOT_CREATE = 73

interface Options {
  readonly kind?: Kind
  readonly out?: string
  readonly install: boolean
}

const program = new Command('new-plugin')
  .description('Makes a plugin from plugin-template: it builds, lints and passes its tests as it is.')
  .argument('[name]', 'lower case words between dashes, such as order-book')
  .addOption(new Option('--kind <kind>', 'what it is (default: source)').choices(['source', 'target']))
  .option(
    '--out <folder>',
    'a package of its own in this folder, outside this repository (default: plugins/<name> here)',
  )
  .option('--no-install', 'do not run npm install, which links a plugin of this repository')
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : EX_USAGE))
  .parse()

const options = program.opts<Options>()
const isTerminal = process.stdin.isTTY && process.stdout.isTTY

const given = program.args[0] ?? (await askName())
const problem = nameProblem(given)
if (problem !== undefined) fail(EX_USAGE, `the name ${JSON.stringify(given)} ${problem}`)
const kind = options.kind ?? (program.args[0] === undefined ? await askKind() : 'source')
const names = namesOf(given)
// npm runs scripts in the repository's root; what the user typed is relative to where it was typed.
const folder =
  options.out === undefined
    ? join(REPOSITORY, 'plugins', names.kebab)
    : resolve(process.env['INIT_CWD'] ?? process.cwd(), options.out)
if (existsSync(folder)) fail(EX_CANNOT_CREATE, `${folder} is there already: give another name, or another --out`)

const files = await copyTemplate(kind, names, folder)
if (options.out === undefined) {
  await addReference(names)
  if (options.install) run('npm', ['install', '--prefer-offline'])
  // A longer name breaks lines elsewhere.
  run('npx', ['oxfmt', folder])
} else await makeStandAlone(folder, names)

const where = options.out === undefined ? relative(REPOSITORY, folder) : folder
process.stdout.write(`${where}: ${files.length} files of a ${kind}, ${files.join(', ')}\n\n`)
process.stdout.write(
  options.out === undefined
    ? `Next: npm test -w plugins/${names.kebab}, then src/${names.kebab}.ts: say what can happen.\n`
    : `Next: cd ${where} && npm install && npm test, then src/${names.kebab}.ts: say what can happen.\n`,
)

async function askName(): Promise<string> {
  if (!isTerminal) fail(EX_USAGE, 'give a name: npm run new-plugin -- order-book')
  const name = await text({
    message: 'What is it called?',
    placeholder: 'order-book',
    validate: (typed) => nameProblem(typed ?? ''),
  })
  return isCancel(name) ? cancelled() : name
}

async function askKind(): Promise<Kind> {
  const chosen = await select<Kind>({
    message: 'What is it?',
    options: [
      { value: 'source', label: 'source', hint: 'says what can happen' },
      { value: 'target', label: 'target', hint: 'runs deliveries' },
    ],
  })
  return isCancel(chosen) ? cancelled() : chosen
}

function cancelled(): never {
  cancel('nothing was made')
  process.exit(EX_USAGE)
}

function run(command: string, parameters: readonly string[]): void {
  const { status } = spawnSync(command, parameters, { cwd: REPOSITORY, stdio: ['ignore', 'ignore', 'inherit'] })
  if (status !== 0) fail(EX_CANNOT_CREATE, `the plugin is made, but this failed: ${command} ${parameters.join(' ')}`)
}

function fail(code: number, message: string): never {
  process.stderr.write(`new-plugin: ${message}\n`)
  process.exit(code)
}
