/**
 * `npm run new-plugin -- <name> [--kind source|target|both] [--out folder]`: asks for what is missing, on a terminal.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { isAbsolute, join, relative, resolve } from 'node:path'
import { cancel, isCancel, select, text } from '@clack/prompts'
import { Command, Option } from 'commander'
import { addReference, copyTemplate, makeStandAlone, readTaken, REPOSITORY } from './copy.ts'
import { KINDS, nameProblem, namesOf } from './names.ts'
import type { Kind } from './names.ts'
import { nextSteps } from './next-steps.ts'

/** As sysexits.h has them. */
const EX_USAGE = 64
const EX_CANNOT_CREATE = 73

const WHAT: Readonly<Record<Kind, string>> = { source: 'a source', target: 'a target', both: 'a source and a target' }
const SAYS: Readonly<Record<Kind, string>> = {
  source: 'can happen',
  target: 'is done',
  both: 'the plugin brings',
}

interface Options {
  readonly kind?: Kind
  readonly out?: string
  readonly install: boolean
}

const program = new Command('new-plugin')
  .description('Makes a plugin from plugin-template: it builds, lints and passes its tests as it is.')
  .argument('[name]', 'lower case words between dashes, such as order-book')
  .addOption(new Option('--kind <kind>', 'what it is (default: source)').choices(KINDS))
  .option(
    '--out <folder>',
    'a package of its own in this folder, outside this repository (default: plugins/<name> here)',
  )
  .option('--no-install', 'do not run npm install, which links a plugin of this repository')
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : EX_USAGE))
  .parse()

// Whoever reads the first line only, `| head -1`, has not done anything wrong.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })

const options = program.opts<Options>()
const isTerminal = process.stdin.isTTY && process.stdout.isTTY
const isStandAlone = options.out !== undefined
const outside = isStandAlone ? folderOutside(options.out) : undefined

const taken = await readTaken({ isStandAlone })
const given = program.args[0] ?? (await askName())
const problem = nameProblem(given, taken)
if (problem !== undefined) fail(EX_USAGE, `the name ${JSON.stringify(given)} ${problem}`)
const kind = options.kind ?? (program.args[0] === undefined ? await askKind() : 'source')
const names = namesOf(given)
const folder = outside ?? join(REPOSITORY, 'plugins', names.kebab)
if (existsSync(folder)) fail(EX_CANNOT_CREATE, `${folder} is there already: give another name, or another --out`)

const files = await copyTemplate(kind, names, folder)
const undo: (() => Promise<void>)[] = [() => rm(folder, { recursive: true })]
try {
  if (isStandAlone) await makeStandAlone(folder, names)
  else {
    // A longer name breaks lines elsewhere.
    run(join(REPOSITORY, 'node_modules', '.bin', 'oxfmt'), folder)
    undo.push(await addReference(names))
    // Its own words, also where this was run with --silent.
    if (options.install) run('npm', 'install', '--prefer-offline', '--loglevel=error')
  }
} catch (error) {
  for (const step of undo.toReversed()) await step()
  const hint = isStandAlone ? '' : '; --no-install leaves npm install to you'
  fail(EX_CANNOT_CREATE, `${(error as Error).message}\nnothing was made: mend that and run it again${hint}`)
}

const where = isStandAlone ? folder : relative(REPOSITORY, folder)
process.stdout.write(`${where}: ${files.length} files of ${WHAT[kind]}, ${files.join(', ')}\n\n`)
const steps = nextSteps({ folder, where, isStandAlone, isInstalled: options.install })
process.stdout.write(`Next:\n${steps.map((step) => `  ${step}\n`).join('')}`)
process.stdout.write(`then src/${names.kebab}.ts: say what ${SAYS[kind]}.\n`)

/** npm runs scripts in the repository's root; what the user typed is relative to where it was typed. */
function folderOutside(out: string): string {
  if (out.trim() === '') fail(EX_USAGE, '--out is empty: give the folder to make, such as ../order-book')
  const folder = resolve(process.env['INIT_CWD'] ?? process.cwd(), out)
  const path = relative(REPOSITORY, folder)
  if (isAbsolute(path) || path.split(/[\\/]/)[0] === '..') return folder
  return fail(
    EX_USAGE,
    `--out is for a folder outside of this repository, ${folder} is in it: without --out, plugins/<name> is made`,
  )
}

async function askName(): Promise<string> {
  if (!isTerminal) fail(EX_USAGE, 'give a name: npm run new-plugin -- order-book')
  const name = await text({
    message: 'What is it called?',
    placeholder: 'order-book',
    validate: (typed) => nameProblem(typed ?? '', taken),
  })
  return isCancel(name) ? cancelled() : name
}

async function askKind(): Promise<Kind> {
  const chosen = await select<Kind>({
    message: 'What is it?',
    options: [
      { value: 'source', label: 'source', hint: 'says what can happen' },
      { value: 'target', label: 'target', hint: 'runs deliveries' },
      { value: 'both', label: 'both', hint: 'one of each' },
    ],
  })
  return isCancel(chosen) ? cancelled() : chosen
}

function cancelled(): never {
  cancel('nothing was made')
  process.exit(EX_USAGE)
}

function run(command: string, ...parameters: string[]): void {
  const { status, error, stdout, stderr } = spawnSync(command, parameters, { cwd: REPOSITORY, encoding: 'utf8' })
  if (status === 0) return
  const words = error === undefined ? `${stdout}${stderr}` : error.message
  throw new Error(`this failed: ${[command, ...parameters].join(' ')}\n${words.trim()}`)
}

function fail(code: number, message: string): never {
  process.stderr.write(`new-plugin: ${message}\n`)
  process.exit(code)
}
