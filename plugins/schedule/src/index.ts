export { schedule } from './schedule.ts'
export type { ScheduleSourceOptions } from './schedule.ts'
export type { ScheduleEvent, ScheduleFilter } from './events.ts'
export type { PreviewOptions, Schedule, ScheduleApi, ScheduleInput } from './api.ts'
