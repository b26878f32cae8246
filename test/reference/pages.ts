/** The pages of docs/reference, made of docstrings, schemas and tables of the code. */
import { docs } from '@outbus/docs'
import { http } from '@outbus/http'
import { kv } from '@outbus/kv'
import { pubsub } from '@outbus/pubsub'
import { schedule, ScheduleError } from '@outbus/schedule'
import { z } from 'zod'
import { DELIVERY_STATES } from '../../core/src/contract/delivery-state.ts'
import { emitOptionsSchema } from '../../core/src/contract/emit-options.ts'
import { FAILURE_KINDS } from '../../core/src/contract/failure-kinds.ts'
import type { AnyPlugin } from '../../core/src/contract/plugin.ts'
import { DEFAULT_QUOTAS, quotasSchema } from '../../core/src/contract/quotas.ts'
import type { AnySource } from '../../core/src/contract/source.ts'
import { dispatchSchema } from '../../core/src/dispatch/options.ts'
import { ERROR_CODES } from '../../core/src/errors.ts'
import { optionsSchema } from '../../core/src/options.ts'
import { deadLetterSource } from '../../core/src/plugins/dead-letter-source.ts'
import { DEFAULT_RETRY_POLICY } from '../../core/src/retry/policy.ts'
import { triggerSchema } from '../../core/src/triggers/trigger.ts'
import { handlerOptions } from '../../plugins/http/src/handler.ts'
import { code, table, wrapped } from './markdown.ts'
import { propertiesOf, schemaOf } from './schema.ts'
import type { Known } from './shapes.ts'
import { declarationBlock, fileOf, filesOf, resultTable, schemaTable, shapeOf } from './shapes.ts'
import { readSource, SOURCES } from './source-files.ts'
import {
  declarationIn,
  docAbove,
  docOfFile,
  entriesAt,
  entriesOf,
  interfaceIn,
  itemsOf,
  textsOf,
} from './source-text.ts'

export interface Page {
  /** Within docs/reference. */
  readonly file: string
  readonly title: string
  /** What is on it, in the list of pages. */
  readonly lists: string
  /** For whom it is, and what to know first. */
  readonly about: string
  readonly sections: readonly Section[]
}

interface Section {
  readonly heading: string
  readonly body: string
}

const CORE = 'core/src'

/** Every page, with the list of them first. */
export function referencePages(): ReadonlyMap<string, string> {
  const pages = [optionsPage(), sourcesPage(), errorsPage(), outcomesPage()]
  const list = pages.map(({ file, title, lists }) => `- [${title}](${file}): ${lists}.`).join('\n')
  const index = `For whoever looks something up. Each page is made of the code's own types, schemas and docstrings.

${list}
- [Actions of the authorizer](../authorizer.md): who is asked what, before which call.
- [Bad input](../bad-input.md): what may be got wrong, the answer, and the test that would notice another one.
- Statements: \`npm run sql\` lists them, and \`npm run sql -- <statement>\` prints one as Postgres gets it.`
  return new Map([
    ['README.md', textOf('Reference', index, [])],
    ...pages.map(({ file, title, about, sections }) => [file, textOf(title, about, sections)] as const),
  ])
}

function textOf(title: string, about: string, sections: readonly Section[]): string {
  const made = '<!-- made by `npm run docs:reference`: change the docstring or the schema, not this page -->'
  const bodies = sections.map(({ heading, body }) => `\n## ${heading}\n\n${body}\n`)
  return wrapped(`# ${title}\n\n${made}\n\n${about}\n${bodies.join('')}`)
}

/** Shapes of what core takes, by the calls that take them. */
const OPTIONS: readonly (readonly [heading: string, shapes: readonly string[], note?: string])[] = [
  ['createBus', ['BusOptions']],
  ['`dispatch` of createBus', ['DispatchOptions']],
  ['`quotas` of createBus, and of `bus.apps.setQuotas`', ['Quotas']],
  ['`retention` of createBus', ['RetentionOptions']],
  ['bus.context', ['ContextOptions']],
  ['bus.handle', ['HandleOptions']],
  [
    'bus.on and cx.triggers',
    ['TriggerSettings', 'TriggerPatch', 'WaitingRows', 'TriggerListOptions'],
    'A trigger names its `source` and the `filter` of that source as well: see [Sources](sources.md).',
  ],
  ['`retry` of a trigger', ['RetrySchedule', 'RetryPolicy', 'RetryOverride', 'RetryPreviewOptions']],
  ['Every emit', ['EmitOptions']],
  ['cx.request and cx.submit', ['RequestOptions', 'SubmitOptions', 'ReplyOptions']],
  ['Every listing', ['PageOptions']],
  ['cx.deliveries', ['DeliveryFilter', 'WithdrawOptions', 'CancelOptions', 'CancelManyOptions']],
  ['cx.deadLetters', ['DeadLetterFilter']],
  ['cx.history, cx.audit and cx.setAside', ['AttemptFilter', 'AuditFilter', 'SetAsideFilter']],
  ['The function of a source', ['SourceAudiences']],
  ['bus.apps', ['EraseOptions', 'EraseDataOptions', 'PayloadSearch']],
]

function optionsPage(): Page {
  const bus = propertiesOf(schemaOf(optionsSchema))
  const known: Readonly<Record<string, Known>> = {
    BusOptions: { properties: bus },
    Quotas: { properties: propertiesOf(schemaOf(quotasSchema)), defaults: DEFAULT_QUOTAS },
    RetentionOptions: { properties: propertiesOf(bus['retention'] ?? {}) },
    TriggerSettings: { properties: propertiesOf(schemaOf(triggerSchema)) },
    RetrySchedule: { defaults: { ...DEFAULT_RETRY_POLICY } },
    EmitOptions: { properties: propertiesOf(schemaOf(emitOptionsSchema)) },
  }
  const shape = (name: string) => {
    if (name !== 'DispatchOptions') return shapeOf(name, CORE, known[name])
    const entries = entriesOf(readSource(fileOf(name, CORE)), 'dispatchSchema') ?? []
    return schemaTable(entries, schemaOf(dispatchSchema))
  }
  return {
    file: 'options.md',
    title: 'Options',
    lists: 'what `createBus` and each call of core take, with types, bounds and defaults',
    about: `For whoever calls the bus: what each call of core takes. What sources take is on [their page](sources.md).`,
    sections: OPTIONS.map(([heading, shapes, note]) => ({
      heading,
      body: [note ?? [], shapes.map((name) => `### ${name}\n\n${shape(name)}`)].flat(2).join('\n\n'),
    })),
  }
}

/** The shapes that {@link optionsPage} has. */
export const OPTION_SHAPES: readonly string[] = OPTIONS.flatMap(([, shapes]) => shapes)

interface DocumentedSource {
  readonly source: AnySource
  /** Where its code is, from the root of the repository. */
  readonly folder: string
}

const PLUGINS: readonly AnyPlugin[] = [kv(), docs(), pubsub(), http(), schedule()]

const DOCUMENTED: readonly DocumentedSource[] = PLUGINS.flatMap(({ name, sources = [] }) =>
  sources.map((source) => ({ source, folder: `plugins/${name}/src` })),
)

function sourcesPage(): Page {
  return {
    file: 'sources.md',
    title: 'Sources',
    lists: 'their events, what handlers receive, filters, verbs and options',
    about: `For whoever writes a trigger or calls a source. \`cx.emit\` takes an event as the tables of events have it, with its
\`op\`: \`cx.emit('kv', { op: 'set', … })\`. Mostly the verbs of the source emit it.`,
    sections: [...DOCUMENTED.map(sourceSection), deadLetterSection()],
  }
}

/** What else the schemas of plugins say of their options. */
const KNOWN: Readonly<Record<string, Known>> = {
  HttpHandlerOptions: { properties: propertiesOf(schemaOf(z.strictObject(handlerOptions))) },
}

function sourceSection({ source, folder }: DocumentedSource): Section {
  const { name } = source
  const text = readSource(`${folder}/events.ts`)
  const fromIndex = exportedTypes(`${folder}/index.ts`)
  const received = /\/\*\* What a handler receives[^*]*\*\/\nexport (?:type|interface) (\w+)/.exec(text)?.[1] ?? ''
  const api = fromIndex.find((type) => type.endsWith('Api'))
  const exported = new Set([...fromIndex, ...(api === undefined ? [] : exportedBeside(api, folder))])
  const factory = factoryOf(source, folder)
  const apart = new Set([received, api, factory.options, 'HttpBus'])
  const others = [...exported].filter((type) => !apart.has(type) && !type.endsWith('Filter'))
  const results = api === undefined ? '' : resultsOf(api, folder)
  const shape = (type: string) => {
    const declared = interfaceIn(readSource(fileOf(type, folder)), type)
    const isResult = new RegExp(`\\b${type}\\b`).test(results)
    return isResult && declared !== undefined ? resultTable(declared) : shapeOf(type, folder, KNOWN[type])
  }
  const isOwn = readSource(`${folder}/${name}.ts`).includes(`interface ${factory.options} `)
  const parts = [
    factory.says,
    `### Options of \`${name}()\`\n\n${shapeOf(factory.options, isOwn ? folder : CORE)}`,
    ...Object.keys(source.events as object).map(
      (op) => `### Event \`${name}.${op}\`\n\n${eventTable(source, text, `${name}Events`, op)}`,
    ),
    `### What a handler of \`${name}\` receives\n\n${declarationBlock(received, `${folder}/events.ts`)}`,
    `### Filter of \`${name}\`\n\n${schemaTable(entriesOf(text, `${name}Filter`) ?? [], schemaOf(source.filter))}`,
    ...(api === undefined ? [] : [`### Verbs at \`cx.${name}\`\n\n${verbTable(api, folder)}`]),
    ...others.map((type) => `### ${type}\n\n${shape(type)}`),
  ]
  return { heading: name, body: parts.filter((part) => part !== '').join('\n\n') }
}

/** What the function that makes a source says, and the name of what it takes. */
function factoryOf({ name }: AnySource, folder: string): { readonly says: string; readonly options: string } {
  const text = readSource(`${folder}/${name}.ts`)
  const declared = new RegExp(`^export function ${name}\\(([^]*?)\\) \\{$`, 'm').exec(text)
  const options = /: (\w+) = \{\}$/.exec(declared?.[1] ?? '')?.[1]
  if (declared === null || options === undefined) throw new Error(`what ${name}() takes is not read`)
  return { says: docAbove(text, declared.index) || docOfFile(text), options }
}

/** The interfaces of the file that declares the verbs. */
function exportedBeside(api: string, folder: string): readonly string[] {
  const text = readSource(fileOf(api, folder))
  return [...text.matchAll(/^export interface (\w+)/gm)].map(([, name = '']) => name)
}

/** The types of what verbs resolve with. */
function resultsOf(api: string, folder: string): string {
  const { members } = interfaceIn(readSource(fileOf(api, folder)), api) ?? nothing()
  return members.map(({ type }) => type.slice(type.lastIndexOf('): '))).join(' ')
}

function eventTable(source: AnySource, text: string, events: string, op: string): string {
  const entry = entriesOf(text, events)?.find(({ name }) => name === op)
  const entries = entry === undefined ? undefined : entriesAt(text, entry.expression)
  const schema = (source.events as Readonly<Record<string, z.ZodType>>)[op]
  if (entry === undefined || entries === undefined || schema === undefined)
    throw new Error(`${events}.${op} is not read`)
  const isOwn = source.ownOps?.includes(op) === true
  const whose = isOwn ? 'The source itself emits it, and the service may. A principal may not.' : ''
  return [entry.says, whose, schemaTable(entries, schemaOf(schema))].filter((part) => part !== '').join('\n\n')
}

function verbTable(api: string, folder: string): string {
  const declared = interfaceIn(readSource(fileOf(api, folder)), api)
  if (declared === undefined) throw new Error(`${api} is no interface`)
  const rows = declared.members.map(({ name, type, says }) => [code(`${name}${type}`), says])
  return [declared.says, table(['verb', 'meaning'], rows)].filter((part) => part !== '').join('\n\n')
}

/** What an index exports of its own files as types. */
function exportedTypes(index: string): readonly string[] {
  return [...readSource(index).matchAll(/export type \{([^}]+)\} from '\.\//g)].flatMap(([, names = '']) =>
    names
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== ''),
  )
}

function deadLetterSection(): Section {
  const filter = entriesOf(readSource(`${CORE}/plugins/dead-letter-source.ts`), 'filter') ?? []
  return {
    heading: 'dead_letter',
    body: `Every bus has it. The bus itself emits its one event, once for each dead letter; nobody else can.

### What a handler of \`dead_letter\` receives

${declarationBlock('DeadLetterEvent', fileOf('DeadLetterEvent', CORE))}

### Filter of \`dead_letter\`

${schemaTable(filter, schemaOf(deadLetterSource.filter))}`,
  }
}

function errorsPage(): Page {
  const core = textsOf(readSource(`${CORE}/errors.ts`), 'export const ERROR_CODES = [')
  const groups = [...new Set(core.map(({ group }) => group))]
  const schedules = textsOf(readSource('plugins/schedule/src/errors.ts'), "defineErrors('schedule', [")
  assertAll(
    core.map(({ text }) => text),
    ERROR_CODES,
  )
  assertAll(
    schedules.map(({ text }) => `schedule.${text}`),
    ScheduleError.codes,
  )
  const errorTable = (errors: readonly { readonly text: string; readonly says: string }[]) =>
    table(
      ['code', 'when', 'what to do'],
      errors.map(({ text, says }) => {
        const [when = '', fix] = says.split(' Fix: ')
        if (fix === undefined) throw new Error(`the comment of ${text} says nothing after "Fix:"`)
        return [code(text), when, capital(fix)]
      }),
    )
  return {
    file: 'errors.md',
    title: 'Error codes',
    lists: 'when each is raised, and what to do',
    about: `For whoever reads an error: when it is raised, and what to do. Each is an \`OutbusError\` with this \`code\`.
[Bad input](../bad-input.md) has what callers get wrong, with its test.`,
    sections: [
      {
        heading: 'What an error has',
        body: resultTable(interfaceIn(readSource(`${CORE}/errors.ts`), 'OutbusErrorDetails') ?? nothing()),
      },
      ...groups.map((group) => ({
        heading: capital(group),
        body: errorTable(core.filter((each) => each.group === group)),
      })),
      {
        heading: 'Of the source schedule',
        body: errorTable(schedules.map(({ text, says }) => ({ text: `schedule.${text}`, says }))),
      },
    ],
  }
}

function outcomesPage(): Page {
  const contract = `${CORE}/contract`
  const kinds = docOfType(`${contract}/failure-kinds.ts`, 'FailureKind')
  const states = docOfType(`${contract}/delivery-state.ts`, 'DELIVERY_STATES')
  assertAll([...kinds.keys()], Object.keys(FAILURE_KINDS))
  assertAll([...states.keys()], DELIVERY_STATES)
  return {
    file: 'outcomes.md',
    title: 'Outcomes and failure kinds',
    lists: 'what becomes of an attempt, why it fails, and where a delivery is until then',
    about: 'For whoever reads a history, a dead letter or the stats: what became of an attempt, and why it failed.',
    sections: [
      { heading: 'Where a delivery is that has no outcome yet', body: table(['state', 'meaning'], rowsOf(states)) },
      { heading: 'Outcomes', body: outcomeTable(readSource(`${contract}/outcome.ts`)) },
      {
        heading: 'Failure kinds',
        body: table(
          ['kind', 'meaning', 'retried by default', 'status over HTTP'],
          Object.entries(FAILURE_KINDS).map(([kind, { retryable, httpStatus }]) => [
            code(kind),
            capital(kinds.get(kind) ?? ''),
            retryable ? 'yes' : 'no',
            String(httpStatus),
          ]),
        ),
      },
      ...['AttemptError', 'OutcomeCounts', 'OutcomeMessage', 'Attempt'].map((name) => ({
        heading: name,
        body: resultTable(interfaceIn(readSource(fileOf(name, CORE)), name) ?? nothing()),
      })),
    ],
  }
}

/** Of each form of the union its kind, what else it has, and the comment above it. */
function outcomeTable(text: string): string {
  const union = declarationIn(text, 'Outcome') ?? ''
  const forms = [...union.matchAll(/(\/\*\*(?:(?!\*\/)[\s\S])*\*\/)?\n {2}\| \{ readonly kind: '(\w+)'(?:; (.+))? \}/g)]
  const rows = forms.map(([, doc = '', kind = '', members = '']) => {
    if (doc === '') throw new Error(`the outcome ${kind} has no docstring`)
    const names = [...members.matchAll(/readonly (\w+):/g)].map(([, name = '']) => code(name))
    return [code(kind), names.join(', '), docAbove(doc, doc.length)]
  })
  if (rows.length !== union.split("readonly kind: '").length - 1) throw new Error('not every outcome is read')
  return table(['kind', 'has', 'meaning'], rows)
}

function docOfType(file: string, name: string): ReadonlyMap<string, string> {
  const text = readSource(file)
  const at = new RegExp(`^export (?:type|const) ${name}\\b`, 'm').exec(text)?.index
  if (at === undefined) throw new Error(`${file} has no ${name}`)
  return itemsOf(docAbove(text, at))
}

function rowsOf(items: ReadonlyMap<string, string>): readonly (readonly string[])[] {
  return [...items].map(([name, says]) => [code(name), capital(says)])
}

function capital(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`
}

function assertAll(documented: readonly string[], known: readonly string[]): void {
  const missing = known.filter((name) => !documented.includes(name))
  const unknown = documented.filter((name) => !known.includes(name))
  if (missing.length > 0 || unknown.length > 0)
    throw new Error(
      `not documented: ${missing.join(', ') || '-'}; documented and not there: ${unknown.join(', ') || '-'}`,
    )
}

function nothing(): never {
  throw new Error('the interface is not there')
}

/** Names of options that the doors of core export, or that a type at a door mentions. */
export function optionsWithinReach(): readonly string[] {
  const doors = SOURCES.filter((file) => /^core\/src\/(?:index|plugin)\.ts$/.test(file))
  const texts = doors
    .flatMap((door) => exportedTypes(door))
    .flatMap((type) => [type, ...filesOf(type, CORE).map((file) => declarationIn(readSource(file), type) ?? '')])
  return [...new Set(texts.flatMap((text) => text.match(/\b\w+(?:Options|Filter)\b/g) ?? []))]
}
