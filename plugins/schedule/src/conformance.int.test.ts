import { describeSource } from '@outbus/test-kit/conformance'
import { schedule } from './index.ts'

const at = '2026-01-01T00:00:00.000Z'

describeSource(schedule(), {
  events: [
    { op: 'fired', schedule: 'nightly', firedAt: at, scheduledFor: at, data: { kind: 'report' } },
    { op: 'fired', schedule: 'hourly', firedAt: at, scheduledFor: null, data: null },
  ],
  filters: [{}, { schedule: 'nightly' }, { schedule: 'hourly', pattern: { kind: ['report'] } }],
  writes: {
    set: (schedule) => schedule.set('nightly', { recurrence: '0 3 * * *' }),
    delete: async (schedule) => {
      await schedule.set('weekly', { recurrence: '0 3 * * 1' })
      await schedule.delete('weekly')
    },
  },
  // What happens is that a schedule fires, which is later.
  quiet: ['set', 'delete'],
  reads: {
    get: (schedule) => schedule.get('nightly'),
    list: (schedule) => schedule.list(),
    preview: async (schedule) => schedule.preview('0 3 * * *', { from: new Date(at) }),
  },
})
