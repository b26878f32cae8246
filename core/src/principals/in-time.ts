/**
 * Bounds how long work for all apps waits for an application's resolver or authorizer. The bound is per principal for
 * deliveries and dead letters, per app for sources. A principal's own calls have none.
 *
 *   asked ──answers in time──▶ answered
 *     └──does not──▶ refused, and refused at once for `notAskedForMs` more, then asked again
 *
 * It remembers the last 10,000 keys without an answer. Older ones are asked again sooner.
 */
import { clearTimeout, performance, setTimeout } from '../time/clock.ts'
import type { PrincipalKey, PrincipalResolver } from './resolver.ts'
import { AdminPrincipalResolver } from './resolver.ts'
import { isThenable } from '../validation/kinds.ts'
import { promised } from '../time/promised.ts'

const MOST_REMEMBERED = 10_000
const LATE = Symbol('late')

export interface AnswersInTimeOptions {
  readonly withinMs: number
  /** How long nobody asks again after there was no answer. */
  readonly notAskedForMs: number
}

/** `key` is what is remembered; `whom` stands in the error. */
export interface Asked {
  readonly key: string
  readonly whom: string
}

export class AnswersInTime {
  readonly #withinMs: number
  readonly #notAskedForMs: number
  /** Keys without an answer, and until when nobody asks again, by `performance.now()`. Oldest first. */
  readonly #unanswered = new Map<string, number>()

  constructor({ withinMs, notAskedForMs }: AnswersInTimeOptions) {
    this.#withinMs = withinMs
    this.#notAskedForMs = notAskedForMs
  }

  /** Throws or rejects if there is no answer in time, or was none a moment ago. */
  about<T>(asked: Asked, ask: () => T | Promise<T>): T | Promise<T> {
    if (this.#isUnanswered(asked.key)) throw this.#late(asked)
    const answer = ask()
    return isThenable(answer) ? this.#remembering(asked, Promise.resolve(answer)) : answer
  }

  /**
   * The same resolver, bounded. If it does not answer about several principals, it is asked about each one. The bus's
   * own asks Postgres, which has bounds of its own.
   */
  resolver(resolver: PrincipalResolver): PrincipalResolver {
    if (resolver instanceof AdminPrincipalResolver) return resolver
    return {
      resolve: async ({ principals, on }) => {
        const late = principals.map(aboutPrincipal).find(({ key }) => this.#isUnanswered(key))
        if (late !== undefined) throw this.#late(late)
        const [first] = principals
        if (principals.length === 1 && first !== undefined)
          return this.about(aboutPrincipal(first), () => resolver.resolve({ principals, on }))
        const resolved = await this.#inTime(resolver.resolve({ principals, on }))
        if (resolved !== LATE) return resolved
        const each = principals.map(async (one) =>
          this.about(aboutPrincipal(one), () => resolver.resolve({ principals: [one], on })),
        )
        return (await Promise.all(each)).map(([one]) => one)
      },
    }
  }

  async #remembering<T>(asked: Asked, asking: Promise<T>): Promise<T> {
    const answer = await this.#inTime(asking)
    if (answer !== LATE) return answer
    this.#unanswered.delete(asked.key)
    this.#unanswered.set(asked.key, performance.now() + this.#notAskedForMs)
    if (this.#unanswered.size > MOST_REMEMBERED) this.#unanswered.delete(this.#unanswered.keys().next().value as string)
    throw this.#late(asked)
  }

  #isUnanswered(key: string): boolean {
    const until = this.#unanswered.get(key)
    if (until === undefined) return false
    if (until > performance.now()) return true
    this.#unanswered.delete(key)
    return false
  }

  async #inTime<T>(answer: Promise<T>): Promise<T | typeof LATE> {
    const { promise: late, resolve } = promised<typeof LATE>()
    const timer = setTimeout(() => resolve(LATE), this.#withinMs)
    try {
      return await Promise.race([answer, late])
    } finally {
      clearTimeout(timer)
    }
  }

  #late({ whom }: Asked): Error {
    return new Error(
      `nothing was said about ${whom} within ${this.#withinMs} ms: the resolver or the authorizer is slow`,
    )
  }
}

export function aboutPrincipal({ app, id }: PrincipalKey): Asked {
  return {
    key: JSON.stringify([app, id]),
    whom: `the principal ${JSON.stringify(id)} of app ${JSON.stringify(app)}`,
  }
}
