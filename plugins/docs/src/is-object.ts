import type { JsonObject, JsonValue } from '@outbus/core/plugin'

export function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
