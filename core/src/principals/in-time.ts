/**
 * Bounds what deliveries and dead letters of all apps wait for: an answer about one principal by a resolver or an authorizer of the
 * application's own. Calls of a principal wait for theirs alone, and have no bound.
 *
 *   asked ──answers in time──▶ answered
 *     └──does not──▶ refused, and refused at once for 30 s more, then asked again
 */
import { clearTimeout, performance, setTimeout } from '../clock.ts'
import type { PrincipalKey, PrincipalResolver } from './resolver.ts'
import { AdminPrincipalResolver } from './resolver.ts'
import { isThenable } from '../validation/kinds.ts'

const NOT_ASKED_FOR_MS = 30_000
const MOST_REMEMBERED = 10_000
const LATE = Symbol('late')

export class AnswersInTime {
  readonly #withinMs: number
  /** Principals about whom there was no answer, and until when nobody asks again, by `performance.now()`. */
  readonly #unanswered = new Map<string, number>()

  constructor(withinMs: number) {
    this.#withinMs = withinMs
  }

  /** Throws or rejects where there is no answer about the principal in time, or was none a moment ago. */
  about<T>({ app, id }: PrincipalKey, ask: () => T | Promise<T>): T | Promise<T> {
    const key = keyOf(app, id)
    if (this.#isUnanswered(key)) throw this.#late(id)
    const answer = ask()
    return isThenable(answer) ? this.#remembering(key, id, Promise.resolve(answer)) : answer
  }

  /**
   * The same resolver, which answers in time or rejects. Where it is asked about several and says nothing, it is asked about each by
   * itself, so that it is known about whom it says nothing. The bus's own asks Postgres, which has bounds of its own.
   */
  resolver(resolver: PrincipalResolver): PrincipalResolver {
    if (resolver instanceof AdminPrincipalResolver) return resolver
    return {
      resolve: async (asked, on) => {
        const late = asked.find(({ app, id }) => this.#isUnanswered(keyOf(app, id)))
        if (late !== undefined) throw this.#late(late.id)
        const [first] = asked
        if (asked.length === 1 && first !== undefined) return this.about(first, () => resolver.resolve(asked, on))
        const resolved = await this.#inTime(resolver.resolve(asked, on))
        if (resolved !== LATE) return resolved
        const each = asked.map(async (key) => this.about(key, () => resolver.resolve([key], on)))
        return (await Promise.all(each)).map(([one]) => one)
      },
    }
  }

  async #remembering<T>(key: string, id: string, asked: Promise<T>): Promise<T> {
    const answer = await this.#inTime(asked)
    if (answer !== LATE) return answer
    this.#unanswered.set(key, performance.now() + NOT_ASKED_FOR_MS)
    if (this.#unanswered.size > MOST_REMEMBERED) this.#unanswered.delete(this.#unanswered.keys().next().value as string)
    throw this.#late(id)
  }

  #isUnanswered(key: string): boolean {
    const until = this.#unanswered.get(key)
    if (until === undefined) return false
    if (until > performance.now()) return true
    this.#unanswered.delete(key)
    return false
  }

  async #inTime<T>(answer: Promise<T>): Promise<T | typeof LATE> {
    const { promise: late, resolve } = Promise.withResolvers<typeof LATE>()
    const timer = setTimeout(() => resolve(LATE), this.#withinMs)
    try {
      return await Promise.race([answer, late])
    } finally {
      clearTimeout(timer)
    }
  }

  #late(id: string): Error {
    return new Error(`nothing was said about the principal ${JSON.stringify(id)} within ${this.#withinMs} ms`)
  }
}

function keyOf(app: string, id: string): string {
  return JSON.stringify([app, id])
}
