/** The conformance kit for sources: one call in a test file, one test for each thing that the contract promises. */
import type { AnyPlugin, AnySource } from '@outbus/core/plugin'
import { describe, expect, test } from 'vitest'
import { checkAtomicity } from './atomicity.ts'
import { checkAuthorization } from './authorization.ts'
import { checkErasure, checkErasureOfData } from './erasure.ts'
import { checkBadWrites } from './hostile.ts'
import { checkForeignData, checkIsolation } from './isolation.ts'
import { checkSamples, checkStrictness } from './pure.ts'
import { sourceOf, trying } from './parts.ts'
import { checkPurity, checkUpcast } from './purity.ts'
import type { Problems, SourceSamples } from './samples.ts'
import { checkRefusals } from './refusals.ts'
import { checkSoundness } from './soundness.ts'
import { checkBadInput, checkMigrations, checkRoundTrip, checkTransactions } from './stored.ts'

type Check = (plugin: AnyPlugin, samples: SourceSamples<AnySource>) => Problems | Promise<Problems>

/** By what is promised when it passes. */
export const SOURCE_CHECKS: Readonly<Record<string, Check>> = {
  'the samples say something: one of each op, some matched and some not': checkSamples,
  'matcher and serializer are pure: the same answer at any time, nothing changed, no clock, no chance, no environment':
    checkPurity,
  'whatever matches is found: keys and keysOf have a key in common': checkSoundness,
  'a misspelt member of an event or a filter is refused': checkStrictness,
  'events of older versions are read': checkUpcast,
  'it may be migrated by many at once, and again': checkMigrations,
  'a target receives what serialize gave': checkRoundTrip,
  'every verb that writes does so in the transaction of its caller': checkTransactions,
  'every verb that writes does all of it, with an event, or nothing': checkAtomicity,
  'nothing crosses apps': checkIsolation,
  "no verb changes or shows what is another app's": checkForeignData,
  'every verb asks the authorizer, and does nothing where that refuses': checkAuthorization,
  'an app that is erased leaves nothing in the tables of the source': checkErasure,
  'an erasure of data knows each table of the source': checkErasureOfData,
  'bad input is refused before anything is written': checkBadInput,
  'a verb takes what it is given, or refuses it before anything is written': checkBadWrites,
  'a verb says in its own words what Postgres refuses': checkRefusals,
}

/**
 * `plugin`: as it is given to `createBus`. Tries its source; of several, the one that `samples.source` names. Needs the
 * kit's global setup, for a Postgres.
 */
export function describeSource<S extends AnySource>(
  plugin: AnyPlugin & { readonly sources?: readonly S[] },
  samples: SourceSamples<S>,
): void {
  const tried = trying(plugin, 'sources', samples.source)
  describe(`source ${sourceOf(tried).name} keeps the contract`, () => {
    test.for(Object.entries(SOURCE_CHECKS))('%s', async ([, check]) => {
      expect(await check(tried, samples as unknown as SourceSamples<AnySource>)).toEqual([])
    })
  })
}
