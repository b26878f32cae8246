import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** The `bin` folder of the newest Postgres that the system's packages brought (it has `initdb` and `postgres`), if any. */
export function findSystemPostgres(): string | undefined {
  return candidates().find((bin) => existsSync(join(bin, 'initdb')) && existsSync(join(bin, 'postgres')))
}

/** The major version of the server in a `bin` folder, such as 15. */
export function systemPostgresMajor(bin: string): number {
  const text = execFileSync(join(bin, 'postgres'), ['--version'], { encoding: 'utf8' })
  const major = /\b(\d+)(\.\d+|devel|beta|rc)/.exec(text)?.[1]
  if (major === undefined) throw new Error(`${bin}/postgres --version says something unexpected: ${text.trim()}`)
  return Number(major)
}

function candidates(): string[] {
  const debian = numbersIn('/usr/lib/postgresql', /^(\d+)$/).map((name) => `/usr/lib/postgresql/${name}/bin`)
  const redHat = numbersIn('/usr', /^pgsql-(\d+)$/).map((name) => `/usr/${name}/bin`)
  return [...debian, ...redHat, ...(process.env['PATH'] ?? '').split(delimiter).filter(Boolean)]
}

/** The entries of a folder whose names carry a number, highest number first. */
function numbersIn(folder: string, pattern: RegExp): string[] {
  if (!existsSync(folder)) return []
  const number = (name: string) => Number(pattern.exec(name)?.[1])
  return readdirSync(folder)
    .filter((name) => pattern.test(name))
    .toSorted((a, b) => number(b) - number(a))
}
