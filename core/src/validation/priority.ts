import { OutbusError } from '../errors.ts'

/** Each level is claimed on its own, so that a backlog of one costs the others nothing. */
export type Priority = 'high' | 'normal' | 'low'

export const PRIORITIES = ['low', 'normal', 'high'] as const satisfies readonly Priority[]

export function priorityLevel(priority: Priority): number {
  const level = PRIORITIES.indexOf(priority)
  if (level < 0) {
    throw new OutbusError('event.invalid', 'priority is one of high, normal, low', {
      path: 'priority',
      received: priority,
    })
  }
  return level
}

export function priorityOf(level: number): Priority {
  return PRIORITIES[level] ?? 'normal'
}
