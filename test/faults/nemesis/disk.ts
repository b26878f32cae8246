/** No room left: for tables, whose statements fail; or for WAL, of which Postgres dies and does not come back. */
import { execFile } from 'node:child_process'
import { open as openFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { smallDiskUnavailable } from '@outbus/test-kit'
import type pg from 'pg'
import { smallDiskOf } from '../server.ts'
import type { Fault, World } from '../world.ts'
import { between, everybody, healed, last, seen, withClient } from './tools.ts'

const run = promisify(execFile)
const TABLESPACE = 'outbus_small_disk'
/** The tables that every emit and every settle writes. Larger ones would not fit, nor be moved in a moment. */
const MOVED = ['outbox', 'claim_notes', 'kv_entries', 'dedupe_keys', 'dead_letters', 'replies']
const MOVED_BYTES_AT_MOST = 128 * 1024 * 1024
const FULL_WITHIN_MS = 10_000

export const DISK_FAULTS: readonly Fault[] = [
  { name: 'disk-full', unavailable: smallDiskUnavailable, strike: fillTables },
  { name: 'disk-full-of-wal', unavailable: smallDiskUnavailable, strike: fillWal },
]

async function fillTables(...[world, open]: Parameters<Fault['strike']>): Promise<void> {
  const disk = requireDisk(world)
  const tables = join(disk.outside, 'tables')
  await run('install', ['-d', `--owner=${await ownerOf(disk.outside)}`, '-m', '700', tables])
  await withClient(world, (client) => createTablespace(client, join(disk.path, 'tables')))
  const window = open(everybody(world))
  try {
    await withClient(world, (client) => move(world, client, TABLESPACE))
    await fill(disk.outside)
    await last(world, between(world, 1_000, 3_000))
  } finally {
    await free(disk.outside)
    await healed('tables back on their disk', () => withClient(world, (client) => move(world, client, 'pg_default')))
    window.close()
  }
}

async function createTablespace(client: pg.Client, path: string): Promise<void> {
  const { rowCount } = await client.query('select from pg_tablespace where spcname = $1', [TABLESPACE])
  if (rowCount === 0) await client.query(`create tablespace ${TABLESPACE} location '${path}'`)
}

async function move(world: World, client: pg.Client, tablespace: string): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `select quote_ident(c.relname) as name from pg_class c left join pg_tablespace s on s.oid = c.reltablespace
     where c.relnamespace = $1::regnamespace and c.relkind = 'r' and c.relname = any($2)
       and coalesce(s.spcname, 'pg_default') <> $3 and ($3 = 'pg_default' or pg_total_relation_size(c.oid) < $4)`,
    [world.schema, MOVED, tablespace, MOVED_BYTES_AT_MOST],
  )
  for (const { name } of rows) await client.query(`alter table ${world.schema}.${name} set tablespace ${tablespace}`)
}

/**
 * WAL is put on the small disk, which then fills: whoever needs the next segment ends the server, which cannot recover
 * either, until there is room.
 */
async function fillWal(...[world, open]: Parameters<Fault['strike']>): Promise<void> {
  const disk = requireDisk(world)
  const usual = join(world.server.dataDirectory, 'pg_wal')
  const wal = join(disk.outside, 'wal')
  const window = open(everybody(world))
  let moved = false
  try {
    await world.server.stop('immediate')
    await run('cp', ['-a', usual, wal])
    await run('mv', [usual, `${usual}.usual`])
    await run('ln', ['-s', join(disk.path, 'wal'), usual])
    moved = true
    await world.server.start()
    await fill(disk.outside)
    await seen(world, () => withClient(world, needsSegment), FULL_WITHIN_MS)
    await last(world, between(world, 500, 2_000))
  } finally {
    await free(disk.outside)
    if (moved) {
      await world.server.start()
      await world.server.stop('immediate')
      await run('rm', ['-rf', usual, `${usual}.usual`])
      await run('cp', ['-a', wal, usual])
      await run('rm', ['-rf', wal])
    }
    await world.server.start()
    window.close()
  }
}

/** True once the server has died of it. */
async function needsSegment(client: pg.Client): Promise<boolean> {
  try {
    await client.query(`select pg_logical_emit_message(true, 'nemesis', 'full')`)
    await client.query('select pg_switch_wal()')
    return false
  } catch {
    // It was this connection's, or another's statement that needed it.
    return true
  }
}

function requireDisk(world: World): { readonly path: string; readonly outside: string } {
  const disk = smallDiskOf(world.server)
  if (disk === undefined) throw new Error('the server was started without a small disk')
  return disk
}

async function ownerOf(path: string): Promise<string> {
  return (await run('stat', ['--format=%u', path])).stdout.trim()
}

function filler(disk: string): string {
  return join(disk, 'filler')
}

/** Fills the disk to the last byte. */
async function fill(disk: string): Promise<void> {
  const file = await openFile(filler(disk), 'w')
  try {
    for (let bytes = 1024 * 1024; bytes >= 512;) {
      try {
        const { bytesWritten } = await file.write(Buffer.alloc(bytes))
        if (bytesWritten < bytes) bytes /= 2
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
        bytes /= 2
      }
    }
  } finally {
    await file.close()
  }
}

async function free(disk: string): Promise<void> {
  await rm(filler(disk), { force: true })
}
