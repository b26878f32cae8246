/** Checks for `createBus` that Node and `pg` are new enough. */
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import pg from 'pg'
import { OutbusError } from '../errors.ts'

/** As `engines` of package.json. */
const NODE = [22, 12] as const
/** The first one whose clients tell their transaction's state. */
const PG = '8.17'

/** `version` as in `process.versions.node`. Error: `runtime.unsupported`. */
export function assertNode(version: string): void {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major > NODE[0] || (major === NODE[0] && minor >= NODE[1])) return
  throw new OutbusError('runtime.unsupported', `Outbus needs Node ${NODE.join('.')} or newer, and this is ${version}`, {
    path: 'node',
    received: version,
    hint: 'upgrade Node',
  })
}

/**
 * Refuses a pool with clients of an older `pg`, and an older `pg` in place of the bus's own. It judges by what the
 * clients can do, so any copy of `pg` will do. Errors: `options.invalid`, `runtime.unsupported`.
 */
export function assertPg(database: unknown): void {
  if (!fits(pg.Client)) {
    throw new OutbusError('runtime.unsupported', `Outbus needs pg ${PG} or newer${found(pg.Client)}`, {
      path: 'pg',
      hint: 'an override in package.json may have replaced the one that @outbus/core names',
    })
  }
  const client = (database as { readonly Client?: unknown } | null | undefined)?.Client
  if (typeof client !== 'function' || fits(client) || isBound(client)) return
  throw new OutbusError('options.invalid', `createBus: the pool is one of pg older than ${PG}${found(client)}`, {
    path: 'database',
    hint: `upgrade pg to ${PG} or newer, or pass a URL`,
  })
}

/** A proxy may bind all functions of a pool. What its clients can do then shows only in use. */
function isBound(client: object): boolean {
  return !Object.hasOwn(client, 'prototype')
}

function fits(client: { readonly prototype?: { readonly getTransactionStatus?: unknown } }): boolean {
  return typeof client.prototype?.getTransactionStatus === 'function'
}

/** A client does not know its version. Its package does, if this process loaded it the usual way. */
function found(client: unknown): string {
  const require = createRequire(import.meta.url)
  for (const module of Object.values(require.cache)) {
    if ((module?.exports as { Client?: unknown } | undefined)?.Client !== client || module === undefined) continue
    try {
      const { name, version } = require(join(dirname(module.filename), '..', 'package.json')) as Record<string, unknown>
      if (name === 'pg') return `, and this is ${String(version)}`
    } catch {
      // Not where pg keeps it, such as in a bundle. The message stands without it.
    }
  }
  return ''
}
