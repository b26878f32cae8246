import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Isolation } from './isolation.ts'

test('who excludes is with nobody, whoever comes and goes, and everybody gets a turn', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.boolean(), { maxLength: 30 }), fc.scheduler(), async (exclusives, scheduler) => {
      const isolation = new Isolation()
      let shared = 0
      let alone = 0
      const seen: [shared: number, alone: number][] = []
      const turns = exclusives.map(async (exclusive) => {
        await (exclusive ? isolation.exclude() : isolation.share())
        if (exclusive) alone++
        else shared++
        seen.push([shared, alone])
        await scheduler.schedule(Promise.resolve())
        if (exclusive) {
          alone--
          isolation.leaveExclusive()
        } else {
          shared--
          isolation.leaveShared()
        }
      })
      await scheduler.waitFor(Promise.all(turns))
      expect(seen.length).toBe(exclusives.length)
      expect(seen.filter(([together, apart]) => apart > 1 || (apart === 1 && together > 0))).toEqual([])
    }),
  )
})

test('who waits to exclude goes before who comes later to share', async () => {
  const isolation = new Isolation()
  const order: string[] = []
  await isolation.share()
  const excluding = isolation.exclude().then(() => order.push('alone'))
  const sharing = isolation.share().then(() => order.push('shared'))
  isolation.leaveShared()
  await excluding
  isolation.leaveExclusive()
  await sharing
  expect(order).toEqual(['alone', 'shared'])
})
