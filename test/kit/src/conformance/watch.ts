/** While a pure member is asked: what it must not ask for in turn, from the clock to the environment. */
import nodeCrypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'

/**
 * In place while it is open: the ways to a clock, to chance and to the environment, each of which says that it was used, and
 * clocks that can be moved. What a module took hold of before, as `const { now } = Date`, is beyond it.
 */
export class Watch {
  #used: Set<string> | undefined
  #aheadMs = 0
  readonly #undo: (() => void)[] = []

  constructor() {
    const { now } = Date
    const RealDate = Date
    const timeOf = (name: string) => {
      this.#saw(name)
      return now() + this.#aheadMs
    }
    this.#replace(globalThis, 'Date', {
      value: new Proxy(RealDate, {
        construct: (target, args: unknown[], newTarget) =>
          Reflect.construct(target, args.length === 0 ? [timeOf('new Date()')] : args, newTarget) as Date,
        apply: () => new RealDate(timeOf('Date()')).toString(),
      }),
    })
    // Of the Date that others may have taken hold of, too.
    this.#replace(RealDate, 'now', { value: () => timeOf('Date.now') })
    const { performance } = globalThis
    const performanceNow = performance.now.bind(performance)
    this.#replace(performance, 'now', {
      value: () => {
        this.#saw('performance.now')
        return performanceNow() + this.#aheadMs
      },
    })
    this.#watchCall(process, 'hrtime', 'process.hrtime')
    this.#watchCall(process, 'uptime', 'process.uptime')
    this.#watchCall(Math, 'random', 'Math.random')
    for (const name of ['randomUUID', 'getRandomValues'] as const)
      this.#watchCall(globalThis.crypto, name, `crypto.${name}`)
    for (const name of ['randomUUID', 'randomBytes', 'randomInt', 'randomFillSync'] as const)
      this.#watchCall(nodeCrypto, name, `crypto.${name}`)
    // What `import { randomUUID } from 'node:crypto'` gives.
    syncBuiltinESMExports()
    this.#undo.unshift(syncBuiltinESMExports)
    this.#replace(process, 'env', { value: this.#watchedObject(process.env, 'process.env') })
  }

  [Symbol.dispose](): void {
    for (const undo of this.#undo.splice(0).toReversed()) undo()
  }

  /** What `work` gives, and what it used; with every clock moved ahead. */
  during<T>(aheadMs: number, work: () => T): { readonly answer: T; readonly used: ReadonlySet<string> } {
    const used = (this.#used = new Set<string>())
    this.#aheadMs = aheadMs
    try {
      return { answer: work(), used }
    } finally {
      this.#used = undefined
      this.#aheadMs = 0
    }
  }

  #saw(name: string): void {
    this.#used?.add(name)
  }

  /** Called as before, and noticed: members of it, such as `hrtime.bigint`, as well. */
  #watchCall(object: object, name: string, shown: string): void {
    const called: unknown = Reflect.get(object, name)
    if (typeof called !== 'function') return
    const watch = (target: object, as: string): object =>
      new Proxy(target, {
        apply: (on, _self, args) => {
          this.#saw(as)
          return Reflect.apply(on as (...args: unknown[]) => unknown, object, args)
        },
        get: (on, member) => {
          const value: unknown = Reflect.get(on, member)
          return typeof value === 'function' && Object.hasOwn(on, member)
            ? watch(value, `${as}.${String(member)}`)
            : value
        },
      })
    this.#replace(object, name, { value: watch(called, shown) })
  }

  #watchedObject(object: NodeJS.ProcessEnv, name: string): NodeJS.ProcessEnv {
    const saw = () => this.#saw(name)
    return new Proxy(object, {
      get: (on, member) => (saw(), Reflect.get(on, member) as string | undefined),
      has: (on, member) => (saw(), Reflect.has(on, member)),
      ownKeys: (on) => (saw(), Reflect.ownKeys(on)),
    })
  }

  #replace(object: object, name: string, replacement: PropertyDescriptor): void {
    const original = Object.getOwnPropertyDescriptor(object, name)
    Object.defineProperty(object, name, {
      writable: true,
      enumerable: original?.enumerable ?? true,
      ...replacement,
      configurable: true,
    })
    this.#undo.push(() => {
      if (original === undefined) Reflect.deleteProperty(object, name)
      else Object.defineProperty(object, name, original)
    })
  }
}
