/** Stands for all triggers of an app. */
export const ALL_TRIGGERS = '00000000-0000-0000-0000-000000000000'

/** Whether the trigger, or its whole app, is paused. */
export function isPaused(appId: string, triggerId: string): string {
  return `exists (select from {schema}.pauses p where p.app_id = ${appId} and p.trigger_id in (${triggerId}, '${ALL_TRIGGERS}'))`
}
