/** The library that tells a process another time, where this machine has it. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/** Where Debian's package `faketime` puts it, and where it is when built by hand. */
const FOLDERS = ['/usr/lib', '/usr/local/lib', '/usr/lib64', '/opt/homebrew/lib']
const LIBRARY = 'faketime/libfaketime.so.1'

export function libfaketime(): string | undefined {
  const folders = FOLDERS.filter((folder) => existsSync(folder))
  const multiarch = folders.flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)))
  return [...folders, ...multiarch].map((folder) => join(folder, LIBRARY)).find((path) => existsSync(path))
}

/** Why there is none, for the report. */
export function faketimeUnavailable(): string | undefined {
  return libfaketime() === undefined ? 'libfaketime is not installed (Debian: apt install faketime)' : undefined
}
