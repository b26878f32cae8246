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

export function subscriptionMatches(subscription: string, topic: string): boolean {
  const wanted = subscription.split('.')
  const tokens = topic.split('.')
  for (const [i, token] of wanted.entries()) {
    if (token === REST) return tokens.length > i
    if (i >= tokens.length || (token !== ONE && token !== tokens[i])) return false
  }
  return wanted.length === tokens.length
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
  let heads: string[] = ['']
  for (const [i, token] of tokens.slice(0, INDEXED).entries()) {
    const dot = i === 0 ? '' : '.'
    heads = heads.flatMap((head) => [`${head}${dot}${token}`, `${head}${dot}${ONE}`])
    // `>` stands for one token at least. Where it is a seventh one, it is filed under the six before it.
    if (i < tokens.length - 1 && i < INDEXED - 1) for (const head of heads) keys.push(`${head}.${REST}`)
  }
  if (more.length === 0) keys.push(...heads)
  else for (const head of heads) keys.push(`${head}|`, `${head}|${more.join('.')}`)
  return keys
}
