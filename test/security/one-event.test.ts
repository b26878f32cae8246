/** One event of one app, whatever its filters, keeps the process from the others for no longer than a moment (G19). */
import { OutbusError } from '@outbus/core'
import { docs } from '@outbus/docs'
import { expect, test } from 'vitest'
import { setUpTwoApps } from './two-apps.ts'

const times = <T>(count: number, of: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => of(i))

type WithDocs = { readonly docs: ReturnType<ReturnType<typeof docs>['api']> }

test('a filter of 37,000 paths is refused; those of 200 cost a document of 15,000 members what they have', async () => {
  const { migrating, shop } = await setUpTwoApps({ sources: [docs()] })
  const own = migrating.context({ app: 'shop' }) as never as WithDocs
  const create = (name: string, changed: string[]) =>
    shop.triggers.create({
      name,
      source: 'docs',
      filter: { changed },
      target: { type: 'function', name: 'work' },
    })
  await expect(
    create(
      'too many',
      times(37_000, (i) => `p${i}`),
    ),
  ).rejects.toMatchObject({
    code: 'trigger.invalid',
    path: 'filter.changed',
    limit: 200,
  })
  for (let n = 0; n < 20; n++)
    await create(
      `t${n}`,
      times(200, (i) => `other${n}.${i}`),
    )
  await create('matches', [(14_999).toString(36)])
  const document = Object.fromEntries(times(15_000, (i) => [i.toString(36), 1] as const))
  expect(await own.docs.insert('c', document)).toMatchObject({ deliveries: 1 })
})

test('a pattern that any number leads to is tested once for a list of 37,000 of them', async () => {
  const { shop } = await setUpTwoApps()
  await shop.triggers.create({
    name: 'numbers',
    source: 'kv',
    filter: { collection: 'lists', pattern: { x: times(390, (i) => ({ numeric: ['>', i, '<', i + 0.5] })) } },
    target: { type: 'function', name: 'work' },
  })
  expect(await shop.kv.set('lists', 'k', { x: times(37_000, (i) => 100_000 + i) })).toMatchObject({ deliveries: 0 })
})

test('an event that takes more steps than one may is refused with its limit, and writes nothing', async () => {
  const { shop, bank } = await setUpTwoApps()
  await shop.triggers.create({
    name: 'wild',
    source: 'kv',
    filter: { collection: 'lists', pattern: { x: times(50, (i) => ({ wildcard: `*b${i}*c*` })) } },
    target: { type: 'function', name: 'work' },
  })
  const list = { x: times(60_000, () => 'a') }
  await expect(shop.kv.set('lists', 'k', list)).rejects.toMatchObject({ code: 'pattern.too_complex', limit: 1_000_000 })
  expect(await shop.kv.get('lists', 'k')).toBeUndefined()
  expect(await bank.kv.set('lists', 'k', list)).toMatchObject({ deliveries: 0 })
})

test('an error that shows a text of 20,000 passwords is made at once, and shows none', () => {
  const received = 'postgres://u:secret'.repeat(20_000)
  const error = new OutbusError('options.invalid', received, { path: 'x', received, hint: received })
  expect(JSON.stringify(error)).not.toContain('secret')
})
