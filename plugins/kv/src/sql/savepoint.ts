import { statement } from '@outbus/core'

/** Caller: kv.set with a dedupe key. The version is drawn before the event is known to be a duplicate; then the write is undone. */
export const beginWrite = statement<[], never>('kv_begin_write', 'savepoint kv_write')
export const undoWrite = statement<[], never>('kv_undo_write', 'rollback to savepoint kv_write')
