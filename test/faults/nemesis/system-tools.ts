/** The programs that come with the Postgres of the system's packages, and not with the embedded one. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findSystemPostgres } from '@outbus/test-kit'
import type { World } from '../world.ts'

type Tool = 'pg_basebackup' | 'pg_dump' | 'pg_restore'

const TOOLS: readonly Tool[] = ['pg_basebackup', 'pg_dump', 'pg_restore']

export function systemToolsUnavailable(): string | undefined {
  const bin = findSystemPostgres()
  if (bin === undefined) return 'there is no Postgres of the system (Debian: apt install postgresql)'
  const missing = TOOLS.filter((tool) => !existsSync(join(bin, tool)))
  return missing.length === 0 ? undefined : `${bin} has no ${missing.join(', ')}`
}

export async function runTool(world: World, tool: Tool, args: readonly string[]): Promise<void> {
  const options = { env: { PATH: process.env['PATH'], LC_ALL: 'C' } }
  await promisify(execFile)(join(world.server.bin, tool), args, options)
}
