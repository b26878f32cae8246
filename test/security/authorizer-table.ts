/** `docs/authorizer.md`, made of the table of actions in core and of the `actions` of the sources. `--check` compares it. */
import { readFile, writeFile } from 'node:fs/promises'
import type { AnyPlugin, AnySource } from '@outbus/core/plugin'
import { docs } from '@outbus/docs'
import { http } from '@outbus/http'
import { kv } from '@outbus/kv'
import { pubsub } from '@outbus/pubsub'
import { schedule } from '@outbus/schedule'
import { CORE_ACTIONS } from '../../core/src/contract/actions.ts'

export const AUTHORIZER_PAGE = new URL('../../docs/authorizer.md', import.meta.url)
const BEGIN = '<!-- the tables below are made by `npm run docs:authorizer` -->'

function membersOf(resource: Readonly<Record<string, string>>): string {
  // What is said of several members is said once.
  const namesByWhat = Map.groupBy(Object.keys(resource), (name) => resource[name])
  const members = [...namesByWhat].map(([what, names]) => `${names.map((name) => `\`${name}\``).join(', ')}: ${what}`)
  return members.length === 0 ? '-' : members.join('; ')
}

const table = (head: readonly string[], rows: readonly (readonly string[])[]) =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')

function tables(): string {
  const core = Object.entries(CORE_ACTIONS).map(([action, { asks, resource, allows, of }]) => [
    `\`${action}\``,
    asks,
    membersOf(resource),
    allows,
    of,
  ])
  const plugins: AnyPlugin[] = [kv(), docs(), pubsub(), schedule(), http()]
  const sources: AnySource[] = plugins.flatMap(({ sources = [] }) => sources)
  const verbs = sources.flatMap(({ name, actions = {} }) =>
    Object.entries(actions).map(([verb, action]) =>
      action === 'free'
        ? [`\`${name}.${verb}\``, '-', 'nobody is asked']
        : [`\`${name}.${verb}\``, membersOf(action.resource), action.allows ?? 'open'],
    ),
  )
  return `## Of core

${table(['action', 'asked by', 'resource', 'default', 'asked of'], core)}

## Of the sources

Each verb is an action, \`<source>.<verb>\`, and is asked of principals.

${table(['action', 'resource', 'default'], verbs)}
`
}

/** The page as it should be: what is written by hand, and the tables. */
export async function authorizerPage(): Promise<{ readonly is: string; readonly shouldBe: string }> {
  const is = await readFile(AUTHORIZER_PAGE, 'utf8')
  return { is, shouldBe: `${is.slice(0, is.indexOf(BEGIN) + BEGIN.length)}\n\n${tables()}` }
}

if (import.meta.main) {
  const { is, shouldBe } = await authorizerPage()
  if (!process.argv.includes('--check')) await writeFile(AUTHORIZER_PAGE, shouldBe)
  else if (is !== shouldBe) {
    process.stderr.write('docs/authorizer.md is not what the code says: npm run docs:authorizer\n')
    process.exitCode = 1
  }
}
