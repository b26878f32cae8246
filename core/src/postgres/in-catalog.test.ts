import { expect, test } from 'vitest'
import { inCatalog } from './in-catalog.ts'

test.for<[what: string, text: string, completed: string]>([
  ['a function', 'select count(*), max(id) from t', 'select pg_catalog.count(*), pg_catalog.max(id) from t'],
  ['one within another', 'cardinality(array_agg(x))', 'pg_catalog.cardinality(pg_catalog.array_agg(x))'],
  ['one array', 'from unnest($1::text[]) as a (b)', 'from pg_catalog.unnest($1::text[]) as a (b)'],
  ['one without arguments', 'select now(), clock_timestamp()', 'select pg_catalog.now(), pg_catalog.clock_timestamp()'],
  ['one array that is made of several', 'unnest(array[a, f(b, c)])', 'pg_catalog.unnest(array[a, f(b, c)])'],
])('%s is called by its full name', ([, text, completed]) => {
  expect(inCatalog(text)).toBe(completed)
})

test.for<[what: string, text: string]>([
  ['several arrays, which are syntax', 'from unnest($1::text[], $2::int[]) as a (b, c)'],
  ['a function of a schema', 'select {schema}.count(x), pg_catalog.max(y)'],
  ['a function of the bus', 'select {schema}.name_in(trigger, 1)'],
  ['the columns of an expression', 'with still (id) as (select 1), written(id) as (select 2)'],
  ['what is syntax', `coalesce(a, b), greatest(a), nullif(a, b), extract(epoch from a), exists (select), a in(1)`],
  ['a literal', `select 'count(', 'it''s max(1)'`],
  ['a quoted name', `select "count(" from "max(1)"`],
  ['a name that ends like one', 'select recount(x), $count(x)'],
])('%s stays as it is', ([, text]) => {
  expect(inCatalog(text)).toBe(text)
})
