/** RFC 7396: members of the patch replace or, where null, remove; objects are merged, lists replaced as a whole. Pure. */
import type { JsonObject, JsonValue } from '@outbus/core/plugin'
import { isObject } from './is-object.ts'

export function mergePatch(target: JsonValue | undefined, patch: JsonValue): JsonValue {
  if (!isObject(patch)) return patch
  const merged: JsonObject = isObject(target) ? { ...target } : {}
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete merged[name]
    else merged[name] = mergePatch(Object.hasOwn(merged, name) ? merged[name] : undefined, value)
  }
  return merged
}
