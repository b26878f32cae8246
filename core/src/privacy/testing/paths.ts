/** Paths, values, and what `redact` makes of them. A test compares them with Postgres' lax mode. */
const X = '[redacted]'

export const JSON_PATHS: readonly { readonly path: string; readonly value: unknown; readonly is: unknown }[] = [
  { path: '$.card', value: { card: '4111', b: 1 }, is: { card: X, b: 1 } },
  { path: '$.card', value: { card: { number: 1 } }, is: { card: X } },
  { path: '$.card', value: { card: ['4111', '4242'] }, is: { card: X } },
  { path: '$.a.card', value: { card: 1, a: { card: 2 } }, is: { card: 1, a: { card: X } } },
  { path: '$.a.card', value: { a: [{ card: 2 }, { b: 1 }, 3] }, is: { a: [{ card: X }, { b: 1 }, 3] } },
  { path: '$.a.card', value: { a: [[{ card: 2 }]] }, is: { a: [[{ card: 2 }]] } },
  { path: '$.items[*].iban', value: { items: [{ iban: 1 }, { iban: 2 }] }, is: { items: [{ iban: X }, { iban: X }] } },
  { path: '$.items[*].iban', value: { items: { iban: 1 } }, is: { items: { iban: X } } },
  { path: '$.items[*][*].iban', value: { items: [[{ iban: 1 }]] }, is: { items: [[{ iban: X }]] } },
  { path: '$.items[*]', value: { items: [1, { a: 2 }] }, is: { items: [X, X] } },
  { path: '$.items[*]', value: { items: 'one' }, is: { items: X } },
  { path: '$.items[1].iban', value: { items: [{ iban: 1 }, { iban: 2 }] }, is: { items: [{ iban: 1 }, { iban: X }] } },
  { path: '$.items[0].iban', value: { items: { iban: 1 } }, is: { items: { iban: X } } },
  { path: '$.items[1].iban', value: { items: { iban: 1 } }, is: { items: { iban: 1 } } },
  { path: '$[*].iban', value: [{ iban: 1 }, { iban: 2 }], is: [{ iban: X }, { iban: X }] },
  { path: '$."a.b"', value: { 'a.b': 1, a: { b: 2 } }, is: { 'a.b': X, a: { b: 2 } } },
  { path: '$."[*]"."\\u00e9 \\""', value: { '[*]': { 'é "': 1 } }, is: { '[*]': { 'é "': X } } },
  { path: '$.überweisung.iban-nr', value: { überweisung: { 'iban-nr': 1 } }, is: { überweisung: { 'iban-nr': X } } },
  { path: '$.constructor', value: { a: 1 }, is: { a: 1 } },
  { path: '$.0', value: { 0: 'a', 1: 'b' }, is: { 0: X, 1: 'b' } },
  { path: '$.card', value: 'card', is: 'card' },
]
