/**
 * Calls functions of the catalogue by their full name. Otherwise Postgres takes the best fit of the search path:
 * `public.unnest(text[])` beats `pg_catalog.unnest(anyarray)`, and whoever may create it would act with the bus's
 * rights. Names are completed when a statement is bound, so that its text stays readable. Operators are not: statements
 * give them operands that the catalogue has one for.
 */

/**
 * Functions without arguments are here too: the search path may have another schema before the catalogue, and may
 * change after the bus has asked.
 */
const FUNCTIONS =
  `clock_timestamp current_database gen_random_uuid now pg_backend_pid pg_current_snapshot pg_current_xact_id statement_timestamp
  transaction_timestamp array_agg array_length array_to_json array_to_string bool_and bool_or cardinality chr concat concat_ws count current_setting date_part
  array_position format generate_series has_database_privilege has_schema_privilege has_table_privilege hashtext hashtextextended int8range isempty
  isfinite json_agg json_array_elements json_build_array json_build_object json_object_agg jsonb_agg jsonb_array_elements jsonb_array_length
  jsonb_build_array jsonb_build_object jsonb_object_agg jsonb_set jsonb_typeof json_typeof lag lead left length lower ltrim make_interval max
  md5 min nextval octet_length currval pg_advisory_lock pg_advisory_unlock pg_advisory_xact_lock pg_column_size pg_get_serial_sequence pg_has_role
  pg_notify pg_relation_size pg_snapshot_xmax pg_snapshot_xmin pg_stat_get_activity pg_total_relation_size pg_try_advisory_lock quote_ident quote_literal random range_agg
  replace row_number row_security_active row_to_json set_config setval split_part starts_with strpos string_agg string_to_array substr sum to_char to_json to_jsonb
  to_regclass to_regnamespace to_timestamp translate unnest upper`.split(/\s+/)

/** Matches a literal or a quoted name, which stays, or a call. */
const CALLS = new RegExp(`'(?:[^']|'')*'|"[^"]*"|(?<![\\w.$])(?:${FUNCTIONS.join('|')})\\(`, 'g')

/** Completes the names of the catalogue's functions in a statement. Pure. */
export function inCatalog(text: string): string {
  return text.replaceAll(CALLS, (found, at: number) => {
    if (found.startsWith("'") || found.startsWith('"')) return found
    // With several arrays `unnest` is syntax, which the catalogue alone resolves.
    if (found === 'unnest(' && hasSeveralArguments(text, at + found.length)) return found
    return `pg_catalog.${found}`
  })
}

function hasSeveralArguments(text: string, from: number): boolean {
  let depth = 1
  for (let at = from; at < text.length && depth > 0; at++) {
    const character = text[at]
    if (character === '(' || character === '[') depth++
    else if (character === ')' || character === ']') depth--
    else if (character === ',' && depth === 1) return true
  }
  return false
}
