/** How many of the latest errors a delivery keeps beside its first one. */
const LATEST_KEPT = 20

/**
 * Appends `error` to `errors`, an array or null, and keeps the first and the latest 20. So the row stays small, however
 * many attempts a policy allows. Longer lists come from older processes.
 */
export function keptErrors(errors: string, error: string): string {
  return `case
    when ${errors} is null or jsonb_typeof(${errors}) <> 'array' then jsonb_build_array(${error})
    when jsonb_array_length(${errors}) <= ${LATEST_KEPT} then ${errors} || ${error}
    when jsonb_array_length(${errors}) = ${LATEST_KEPT} + 1 then (${errors} - 1) || ${error}
    else jsonb_build_array(${errors} -> 0) || (select jsonb_agg(kept.error order by kept.n)
      from jsonb_array_elements(${errors}) with ordinality as kept (error, n)
      where kept.n > jsonb_array_length(${errors}) - ${LATEST_KEPT - 1}) || ${error}
  end`
}
