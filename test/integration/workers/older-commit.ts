/** A commit of which processes are run beside the present schema. Apart from `older.ts`, for vitest.config.ts asks whether it is there. */
import { execFileSync } from 'node:child_process'

export const OLDER_COMMIT = '26a6d9994d1804ad31a7351c36241fa3fa179295'

/** Not in a shallow clone, nor where the files are no repository. */
export function hasOlderCommit(): boolean {
  try {
    execFileSync('git', ['cat-file', '-e', `${OLDER_COMMIT}^{commit}`], { cwd: import.meta.dirname, stdio: 'ignore' })
    return true
  } catch {
    // Git is not there, or knows no such commit: the test is told of by name.
    return false
  }
}
