/**
 * A login that may create functions and operators in a schema of the search path, such as `public`, has none of its own run by the bus
 * (issue 18, item 11). Postgres takes the function whose parameters fit best, wherever it is: `public.unnest(text[])` before
 * `pg_catalog.unnest(anyarray)`. Whoever calls it runs it with its own rights, and a dispatcher has those of all apps.
 */
import { createBus, enableRowSecurity, grantRoles } from '@outbus/core'
import { docs } from '@outbus/docs'
import { kv } from '@outbus/kv'
import { pluginName } from '@outbus/plugin-name'
import { schedule } from '@outbus/schedule'
import { prepareRoles, TEST_ROLES, urlAs } from '@outbus/test-kit'
import { useTestClient, useTestDatabase } from '@outbus/test-kit/vitest'
import type pg from 'pg'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { boundTo } from '../../core/src/postgres/statement.ts'
import { OUTBOX_IS_EMPTY, untilDatabaseSays, watchOutcomes } from '../integration/workers/outcomes.ts'
import { findStatements } from '../reference/statements.ts'

const plugins = [kv(), docs(), schedule(), pluginName()]
const log = pino({ level: 'silent' })

interface Text {
  readonly name: string
  readonly text: string
}

/** Every statement of the bus and of the plugins here, those that are put together included, as Postgres gets it. */
async function statements(): Promise<readonly Text[]> {
  return (await findStatements()).map((stated) => ({ name: stated.name, text: boundTo('outbus', stated).text }))
}

test('every statement calls the catalogue’s functions by their full name', async () => {
  const db = await useTestDatabase()
  const { rows } = await db.pool.query<{ name: string }>(
    `select distinct proname as name from pg_proc where pronamespace = 'pg_catalog'::regnamespace and pronargs > 0`,
  )
  // What the grammar sends to the catalogue by itself.
  const functions = new Set(
    rows.map(({ name }) => name).filter((name) => !['extract', 'position', 'unnest'].includes(name)),
  )
  const found = (await statements()).flatMap(({ name, text }) =>
    [...text.replaceAll(/'(?:[^']|'')*'/g, "''").matchAll(/(?<![\w.$"])([a-z_][a-z0-9_]*)\(/g)]
      .map(([, called = '']) => called)
      .filter((called) => functions.has(called))
      .map((called) => `${name}: ${called}`),
  )
  expect([...new Set(found)]).toEqual([])
})

const TYPES = 'int2 int4 int8 float8 numeric text name uuid json jsonb timestamptz interval oid regclass text[] int8[]'
/** With what each gives, so that the statement goes on: a truth value, or what stands on the left. */
const OPERATORS = { bool: '= <> < > <= >= @> && ~ ?', left: '+ - * / % || -> ->>' }

/** An operator of each of these names, between any two types that the catalogue has none for. */
async function trapOperators(on: pg.ClientBase): Promise<void> {
  const array = (words: string) => `array['${words.split(' ').join("', '")}']`
  await on.query(`do $$ declare a text; b text; o text;
  begin
    foreach a in array ${array(TYPES)} loop
      foreach b in array ${array(TYPES)} loop
        execute format('create function public.trap_bool(%s, %s) returns bool language sql as ''select true''', a, b);
        execute format('create function public.trap_left(%1$s, %2$s) returns %1$s language sql as ''select $1''', a, b);
        foreach o in array ${array(`${OPERATORS.bool} ${OPERATORS.left}`)} loop
          if not exists (select from pg_operator where oprname = o and oprleft = a::regtype::oid and oprright = b::regtype::oid) then
            execute format('create operator public.%s (function = public.%s, leftarg = %s, rightarg = %s)', o,
              case when o = any (${array(OPERATORS.bool)}) then 'trap_bool' else 'trap_left' end, a, b);
          end if;
        end loop;
      end loop;
    end loop;
  end $$`)
}

test('every statement has operands that the catalogue has an operator for, so that no other one fits better', async () => {
  const db = await useTestDatabase({ plugins })
  const trapping = await useTestClient(db.adminUrl)
  await trapOperators(trapping)
  const looking = await useTestClient(db.adminUrl)
  await looking.query('set search_path = pg_catalog')
  /** The operators in `public` that a statement uses, by what a function with it depends on. */
  const trappedIn = async ({ text }: Text, n: number) => {
    await trapping.query(`prepare p${n} as ${text}`)
    const { rows: own } = await trapping.query<{ types: string }>(
      `select pg_catalog.array_to_string(parameter_types, ', ') as types from pg_catalog.pg_prepared_statements where name operator(pg_catalog.=) 'p${n}'`,
    )
    await trapping.query(
      `create function public.f${n}(${own[0]?.types ?? ''}) returns void language sql begin atomic ${text}; end`,
    )
    const { rows: used } = await looking.query<{ operator: string }>(
      `select d.refobjid::regoperator::text as operator from pg_depend d join pg_proc p on p.oid = d.objid
      where d.classid = 'pg_proc'::regclass and d.refclassid = 'pg_operator'::regclass and p.proname = $1`,
      [`f${n}`],
    )
    return used.map(({ operator }) => operator)
  }
  const all = await statements()
  expect(all.length).toBeGreaterThan(140)
  expect(await trappedIn({ name: 'a trap', text: `select 1 * interval '1 second', 'a'::text || 1` }, 0)).toHaveLength(2)
  const found: string[] = []
  for (const [i, statement] of all.entries())
    // Where another operator has changed a type, Postgres may refuse the statement.
    for (const operator of await trappedIn(statement, i + 1).catch((error: Error) => [error.message]))
      found.push(`${statement.name}: ${operator}`)
  expect(found).toEqual([])
})

/** Each better than what the catalogue has, for arguments as people write them. It notes who ran it, and goes on as the catalogue's does. */
const TRAPS = `create table public.caught (name text, by name);
grant insert on public.caught to public;
create function public.unnest(text[]) returns setof text language plpgsql as
  $$ begin insert into public.caught values ('unnest', current_user); return query select pg_catalog.unnest($1); end $$;
create function public.hashtextextended(text, integer) returns bigint language plpgsql as
  $$ begin insert into public.caught values ('hashtextextended', current_user); return pg_catalog.hashtextextended($1, $2); end $$;
create function public.nextval(text) returns bigint language plpgsql as
  $$ begin insert into public.caught values ('nextval', current_user); return pg_catalog.nextval($1::pg_catalog.regclass); end $$;
create function public.format(text, text) returns text language plpgsql as
  $$ begin insert into public.caught values ('format', current_user); return pg_catalog.format($1, $2); end $$;
create function public.format(text, regclass) returns text language plpgsql as
  $$ begin insert into public.caught values ('format', current_user); return pg_catalog.format($1, $2); end $$;
create function public.format(text, name) returns text language plpgsql as
  $$ begin insert into public.caught values ('format', current_user); return pg_catalog.format($1, $2); end $$;
create function public.quote_ident(name) returns text language plpgsql as
  $$ begin insert into public.caught values ('quote_ident', current_user); return pg_catalog.quote_ident($1::text); end $$;
create function public.cardinality(text[]) returns integer language plpgsql as
  $$ begin insert into public.caught values ('cardinality', current_user); return pg_catalog.cardinality($1); end $$;
create function public.modulo(bigint, integer) returns bigint language plpgsql as
  $$ begin insert into public.caught values ('%', current_user); return pg_catalog.int8mod($1, $2); end $$;
create operator public.% (function = public.modulo, leftarg = bigint, rightarg = integer);
create function public.same(oid, regclass) returns boolean language plpgsql as
  $$ begin insert into public.caught values ('=', current_user); return pg_catalog.oideq($1, $2::pg_catalog.oid); end $$;
create operator public.= (function = public.same, leftarg = oid, rightarg = regclass);
create function public.part(jsonb, jsonb) returns text language plpgsql as
  $$ begin insert into public.caught values ('->>', current_user); return null; end $$;
create operator public.->> (function = public.part, leftarg = jsonb, rightarg = jsonb);
create function public.day(timestamptz, timestamptz) returns interval language plpgsql as
  $$ begin insert into public.caught values ('-', current_user); return pg_catalog.timestamptz_mi($1, $2); end $$`

test('nothing that a login puts into public is run by whoever migrates, grants, emits, dispatches or looks', async () => {
  const db = await useTestDatabase()
  await prepareRoles(db.adminUrl)
  await db.pool.query(`create schema if not exists public; grant usage, create on schema public to outbus_emitting`)
  const attacking = await useTestClient(urlAs(db.adminUrl, 'outbus_emitting'))
  await attacking.query('set search_path = public')
  await attacking.query(TRAPS)

  const migrator = urlAs(db.adminUrl, 'outbus_migrator')
  const owner = await createBus({ database: migrator, plugins, migrate: true, log })
  onTestFinished(() => owner.stop({ graceMs: 0 }))
  await grantRoles(migrator, { roles: TEST_ROLES })
  await enableRowSecurity(migrator, { allApps: [TEST_ROLES.dispatcher] })
  const bus = await createBus({ database: urlAs(db.adminUrl, 'outbus_service'), plugins, history: 'all', log })
  onTestFinished(() => bus.stop({ graceMs: 0 }))
  bus.handle('work', () => undefined)
  const bank = bus.context({ app: 'bank' })
  const on = (name: string, settings: object = {}) =>
    bank.triggers.create({
      name,
      source: 'kv',
      filter: { collection: name },
      target: { type: 'function', name: 'work' },
      ...settings,
    })
  const { id } = await on('plain')
  await on('ordered', { ordered: true })
  await on('limited', { concurrency: 2, rateLimit: 100 })
  const outcomes = watchOutcomes('bank')
  await bus.start()
  await bank.kv.setMany(['a', 'b'].map((key) => ({ collection: 'plain', key, value: 1 })))
  for (const collection of ['plain', 'ordered', 'limited'])
    await bank.kv.set(collection, 'k', 1, { dedupeKey: `once ${collection}` })
  await bank.docs.insert('d', { a: 1 })
  await bank.schedule.set('nightly', { recurrence: '0 3 * * *' })
  await outcomes.until((seen) => seen.length === 5)
  await untilDatabaseSays(db.pool, OUTBOX_IS_EMPTY, true)
  await bank.triggers.update(id, { timeoutMs: 1_000 })
  await bank.triggers.pause(id)
  await bank.triggers.resume(id)
  await bank.history.list()
  await bank.audit.list()
  await owner.apps.setQuotas('bank', { triggers: 10 })
  await owner.apps.list()
  await bus.upkeep()
  await owner.apps.erase('bank')
  await bus.stop()
  await grantRoles(migrator, { roles: TEST_ROLES })
  expect((await db.pool.query('select distinct name, by from public.caught order by 1, 2')).rows).toEqual([])
})
