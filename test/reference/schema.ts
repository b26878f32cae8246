/** What a zod schema says of its members: type, bounds and default, by way of JSON Schema. */
import { z } from 'zod'

/** As far as it is read here. */
export interface JsonSchema {
  readonly type?: string
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly JsonSchema[]
  readonly items?: JsonSchema
  readonly minimum?: number
  readonly maximum?: number
  readonly default?: unknown
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
}

/** What a caller may write, before defaults and transforms. What JSON Schema has no word for is `{}`. */
export function schemaOf(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema
}

/** The members of an object, or of the object among several forms. */
export function propertiesOf(schema: JsonSchema): Readonly<Record<string, JsonSchema>> {
  return schema.properties ?? schema.anyOf?.find(({ properties }) => properties !== undefined)?.properties ?? {}
}

/** As TypeScript writes it. Undefined where the schema does not say. */
export function typeOf(schema: JsonSchema): string | undefined {
  if ('const' in schema) return literal(schema.const)
  if (schema.enum !== undefined) return schema.enum.map(literal).join(' | ')
  if (schema.anyOf !== undefined) {
    const types = schema.anyOf.map(typeOf)
    return types.includes(undefined) ? undefined : types.join(' | ')
  }
  switch (schema.type) {
    case 'integer':
      return 'number'
    case 'array':
      return arrayOf(typeOf(schema.items ?? {}))
    case 'string':
    case 'number':
    case 'boolean':
    case 'null':
      return schema.type
    default:
      return undefined
  }
}

/** Of a number: `integer, 1 to 64`. Undefined for anything else, and for a number without bounds. */
export function boundsOf(schema: JsonSchema): string | undefined {
  const number = [schema, ...(schema.anyOf ?? [])].find(({ type }) => type === 'integer' || type === 'number')
  if (number === undefined) return undefined
  const { type, minimum, maximum } = number
  // Zod says of every integer that it is a safe one.
  const [least, most] = [minimum, maximum].map((bound) =>
    bound === undefined || Math.abs(bound) === Number.MAX_SAFE_INTEGER ? undefined : counted(bound),
  )
  const range =
    least === undefined ? most && `at most ${most}` : most === undefined ? `from ${least}` : `${least} to ${most}`
  return (
    [type === 'integer' ? 'integer' : undefined, range].filter((part) => part !== undefined).join(', ') || undefined
  )
}

export function literal(value: unknown): string {
  return typeof value === 'string' ? `'${value}'` : JSON.stringify(value)
}

/** A number as documents write it; a small one as a fraction. */
export function counted(value: number): string {
  if (Number.isInteger(value)) return value.toLocaleString('en-US')
  return Math.abs(value) < 0.001 ? `1/${counted(Math.round(1 / value))}` : String(value)
}

function arrayOf(type: string | undefined): string | undefined {
  if (type === undefined) return undefined
  return /^\w+$/.test(type) ? `${type}[]` : `(${type})[]`
}
