/**
 * Topics: tokens between dots, such as `orders.eu.created`. A subscription may have `*` for one token and, as its last token,
 * `>` for the rest, one token at least. Pure.
 */

const MAX_TOKENS = 16
const MAX_BYTES = 255
const ONE = '*'
const REST = '>'

/** Nothing that is blank, or that the terminal or a log would show as something else. */
const TOKEN = /^[^\s.*>\p{C}]+$/u

/** Why it is no topic to publish to; undefined where it is one. */
export function topicProblem(topic: unknown): string | undefined {
  return tokensProblem(topic, (token) => TOKEN.test(token))
}

/** Why it is nothing to subscribe to; undefined where it is. */
export function subscriptionProblem(subscription: unknown): string | undefined {
  return tokensProblem(
    subscription,
    (token, isLast) => token === ONE || (token === REST && isLast) || TOKEN.test(token),
    ', where * is any one token and a last > is the rest',
  )
}

function tokensProblem(
  text: unknown,
  fits: (token: string, isLast: boolean) => boolean,
  also = '',
): string | undefined {
  const shape = `is tokens between dots, without blanks${also}: orders.eu.created`
  if (typeof text !== 'string' || text === '') return shape
  if (Buffer.byteLength(text) > MAX_BYTES) return `is at most ${MAX_BYTES} bytes of UTF-8`
  const tokens = text.split('.')
  if (tokens.length > MAX_TOKENS) return `has at most ${MAX_TOKENS} tokens`
  return tokens.every((token, i) => fits(token, i === tokens.length - 1)) ? undefined : shape
}

/** Token by token, without taking either apart: it is called for every candidate of every publish. */
export function subscriptionMatches(subscription: string, topic: string): boolean {
  let s = 0
  let t = 0
  while (s < subscription.length && t < topic.length) {
    const wantedEnd = endOfToken(subscription, s)
    if (subscription[s] === REST) return true
    const tokenEnd = endOfToken(topic, t)
    const isAny = subscription[s] === ONE
    if (!isAny && (wantedEnd - s !== tokenEnd - t || !topic.startsWith(subscription.slice(s, wantedEnd), t)))
      return false
    s = wantedEnd + 1
    t = tokenEnd + 1
  }
  return s >= subscription.length && t >= topic.length
}

function endOfToken(text: string, from: number): number {
  const dot = text.indexOf('.', from)
  return dot < 0 ? text.length : dot
}

/**
 * A subscription is filed under its first tokens, `*` among them, and a topic is looked up under all that its own first tokens
 * may have been replaced by: at most 2^INDEXED times two, 15 for a topic of three tokens, however many subscriptions there
 * are. Beyond that many tokens a subscription without wildcards there is filed under them as well.
 */
const INDEXED = 6

export function keysOfSubscription(subscription: string): string[] {
  const tokens = subscription.split('.')
  const first = tokens.slice(0, INDEXED)
  const more = tokens.slice(INDEXED)
  if (more.length === 0) return [first.join('.')]
  const isLiteral = !more.includes(ONE) && !more.includes(REST)
  return [`${first.join('.')}|${isLiteral ? more.join('.') : ''}`]
}

export function keysOfTopic(topic: string): string[] {
  const tokens = topic.split('.')
  const more = tokens.slice(INDEXED)
  const keys: string[] = [REST]
  let heads: string[] = []
  for (const [i, token] of tokens.slice(0, INDEXED).entries()) {
    // `>` stands for one token at least. Where it is a seventh one, it is filed under the six before it.
    const takesRest = i < tokens.length - 1 && i < INDEXED - 1
    const longer: string[] = []
    for (const begun of i === 0 ? [''] : heads.map((head) => `${head}.`)) {
      longer.push(begun + token, begun + ONE)
      if (takesRest) keys.push(`${begun}${token}.>`, `${begun}*.>`)
    }
    heads = longer
  }
  if (more.length === 0) keys.push(...heads)
  else for (const head of heads) keys.push(`${head}|`, `${head}|${more.join('.')}`)
  return keys
}
