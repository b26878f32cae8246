/** Emits by the index that this process has, whatever epoch the database says. */
import { emitUniform } from '../../../core/src/sql/emit/emit-uniform.ts'
import { emitNoted } from '../../../core/src/sql/emit/emit-noted.ts'
import { emitOne } from '../../../core/src/sql/emit/emit-one.ts'
import { emitRows, emitRowsWaiting } from '../../../core/src/sql/emit/emit-rows.ts'
import { emitsWithWrite } from '../../../core/src/sql/emit/emits-with-write.ts'
import { readEpochs } from '../../../core/src/sql/emit/read-epochs.ts'
import { IndexCache } from '../../../core/src/triggers/index-cache.ts'
import { putEntries } from '../../../plugins/kv/src/sql/put-entries.ts'
import { recognizer, watchStatements } from '../failpoints/statements.ts'
import type { Edit } from './edit-sql.ts'
import { editStatements } from './edit-sql.ts'

/** What `kv.set` is. */
const SET = emitsWithWrite(putEntries)

const UNCHECKED: readonly Edit[] = [
  ...[emitRows, emitRowsWaiting, SET.rows].map((of) => ({
    of,
    replace: `where coalesce(e.content_id, '0') <> x.epoch`,
    by: `where coalesce(e.content_id, '0') <> x.epoch and false`,
  })),
  ...[
    { of: emitUniform, times: 1 },
    { of: SET.uniform, times: 3 },
  ].flatMap(({ of, times }) => [
    { of, times, replace: '(select epoch from seen) = $2::text', by: '(select epoch from seen) is not null' },
    { of, replace: 'where epoch <> $2::text', by: 'where epoch <> $2::text and false' },
  ]),
  ...[emitOne, emitNoted].map((of) => ({
    of,
    replace: 'where (select content_id from {schema}.trigger_epochs where app_id = $1) = $2',
    by: 'where $2::text is not null',
  })),
]

export function switchEpochCheckOff(): void {
  editStatements(UNCHECKED)
  // What matches nothing is checked by a statement that only reads: it is answered with what the index expects.
  const expected = new Map<string, string>()
  const { latest } = IndexCache.prototype
  IndexCache.prototype.latest = function (app) {
    const index = latest.call(this, app)
    if (index !== undefined) expected.set(app, index.epoch)
    return index
  }
  const recognize = recognizer([readEpochs])
  watchStatements(({ original }) => {
    if (recognize(original) === undefined) return undefined
    return (result) => {
      result.rows = [...expected].map(([app, epoch]) => ({ app_id: app, epoch }))
    }
  })
}
