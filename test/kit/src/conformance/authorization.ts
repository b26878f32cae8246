/** Checks on a real Postgres: each verb asks the authorizer before it does anything, by its own name. */
import { isOutbusError } from '@outbus/core'
import type { AccessRequest } from '@outbus/core'
import type { AnyPlugin, AnySource } from '@outbus/core/plugin'
import { useTestBus } from '../test-bus.ts'
import type { AnySamples } from './calls.ts'
import { callsOf, outcomeOf, reasonOf, upTo, verbsAt } from './calls.ts'
import { sourceOf } from './parts.ts'
import type { Problems } from './samples.ts'
import { changedTables, contents } from './tested.ts'

/** Nobody allows it anything. */
const STRANGER = 'stranger'

export async function checkAuthorization(plugin: AnyPlugin, samples: AnySamples): Promise<Problems> {
  const source = sourceOf(plugin)
  const asked: AccessRequest[] = []
  const tested = await useTestBus({
    plugins: [plugin],
    app: 'test',
    authorizer: {
      allows: (request) => {
        if (request.principal?.id !== STRANGER) return true
        asked.push(request)
        return false
      },
    },
  })
  const { bus, cx, db } = tested
  const refused = verbsAt(bus.context({ app: 'test', principal: { id: STRANGER } }), source) as Record<
    string,
    (...args: readonly unknown[]) => unknown
  >
  const problems: Problems = unknownVerbs(source, verbsAt(cx, source))
  for (const entry of [...callsOf(samples.writes), ...callsOf(samples.reads)]) {
    const [verb] = entry
    if (source.actions?.[verb] === 'free') continue
    await upTo(verbsAt(cx, source), entry, async (_, args) => {
      asked.length = 0
      const before = await contents(db.pool)
      const { error } = await outcomeOf(() => refused[verb]?.(...args))
      if (!asked.some(({ action }) => action === `${source.name}.${verb}`))
        problems.push(`${verb} does not ask the authorizer about ${source.name}.${verb}`)
      else if (!isOutbusError(error, 'access.forbidden'))
        problems.push(
          `${verb} is not refused where the authorizer refuses it: ${error === undefined ? 'it resolved' : reasonOf(error)}`,
        )
      const changed = changedTables(before, await contents(db.pool))
      if (changed.length > 0) problems.push(`${verb}, refused by the authorizer, changed rows in ${changed.join(', ')}`)
    })
  }
  return [...new Set(problems)]
}

function unknownVerbs(source: AnySource, verbs: object): Problems {
  return Object.keys(source.actions ?? {})
    .filter((verb) => typeof (verbs as Record<string, unknown>)[verb] !== 'function')
    .map((verb) => `actions names ${verb}, and there is no such verb`)
}
