/**
 * Replaces what looks like a secret by `[hidden]` before a text is stored or logged. Handlers throw what other systems
 * answered, and such answers repeat headers, URLs and configuration.
 *
 * The rules, listed in docs/threat-model.md, promise nothing: a secret that looks like an ordinary word, with no
 * telling name before it, is not found.
 *
 * Each rule reads the text once and goes back by no more than a fixed number of characters. So the time is linear in
 * the text; hide-secrets.test.ts has the worst texts.
 */

/** Returns the first `max` characters of a text without its secrets, and a `…` if the text goes on. */
export type HideSecrets = (text: string, max: number) => string

type Span = readonly [start: number, end: number]

export const HIDDEN = '[hidden]'

/**
 * How many characters beyond `max` are read, because a secret cut in half would not look like one. The longest in use,
 * private keys of 8,192 bits, have 6,500.
 */
const LOOK_AHEAD = 8_192

/** Shapes that no ordinary word has. A letter, a digit or `_` before one makes it part of something else. */
const SHAPES = new RegExp(
  String.raw`(?<![A-Za-z0-9_])(?:${[
    // JSON Web Tokens, signed or encrypted: a header that begins with `{"` in base64, and up to four more parts.
    String.raw`eyJ[\w-]{8,}(?:\.[\w-]*){1,4}`,
    // AWS: access key ids. The keys have no shape, and are found by their names.
    String.raw`(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])`,
    // GitHub, GitLab, npm.
    String.raw`gh[pousr]_[A-Za-z0-9]{16,}`,
    String.raw`github_pat_\w{16,}`,
    String.raw`gl(?:pat|dt|rt|oas)-[\w-]{16,}`,
    String.raw`npm_[A-Za-z0-9]{30,}`,
    // Slack: tokens, and the path of a webhook.
    String.raw`xox[a-z](?:\.xox[a-z])?-[\w-]{8,}`,
    String.raw`xapp-[\w-]{8,}`,
    String.raw`hooks\.slack\.com/(?:services|workflows|triggers)/[\w/-]+`,
    // Stripe, and webhooks signed by Standard Webhooks.
    String.raw`(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{8,}`,
    String.raw`whsec_[A-Za-z0-9+/=]{8,}`,
    // Google, SendGrid, and keys that begin with `sk-`.
    String.raw`AIza[\w-]{35}`,
    String.raw`ya29\.[\w-]{16,}`,
    String.raw`SG\.[\w-]{16,}\.[\w-]{16,}`,
    String.raw`sk-[A-Za-z0-9][\w-]{18,}`,
  ].join('|')})`,
  'g',
)

/** Reaches to the end of the key, or of the text if that is missing. */
const PEM =
  /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----[^]*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|$)/g

const SCHEME = /\b(bearer|basic)(?:[ \t]{1,4}|%20|\+)([\w.~+/=:-]+)/gi
/** Ordinary words after `bearer`. */
const NO_TOKEN =
  /^(?:auth(?:entication|orization)?|credentials?|error|expired|failed|format|header|invalid|is|missing|not|of|or|realm|required|scheme|tokens?|was)[.:]?$/i

/** Names of secrets, perhaps after other words: `access_token`, `dbPassword`, `x-api-key`. */
const NAMES =
  '(?:pass(?:word|wd|phrase)|(?<![a-z])pass|pwd|secret|token|credentials?|(?<![a-z])otp|session[_-]?id|' +
  '(?:api|auth|access|account|private|secret|secret[_-]?access)[ _-]?key)(?:[_-]?(?:value|hash|\\d{1,3}))?'
/** Names in URLs and cookies. They are ordinary words too, so a `=` has to follow. */
const ASSIGNED = '(?<![a-z])(?:(?:x-(?:amz|goog)-)?signature|sig|jwt|session|sid)(?=[ \\t]{0,4}=[^=>])'
const HEADERS = '(?:authorization|(?:set-)?cookie2?)'
/**
 * A name, its closing quote, and what leads to its value:
 *
 * - `=`, `:` or `=>`, perhaps URL-escaped;
 * - the end of an XML tag;
 * - whose password it is;
 * - the comma between two members of a list.
 */
const NAMED = new RegExp(
  String.raw`(?:(${HEADERS})|${NAMES}|${ASSIGNED})(?:${[
    String.raw`(?:\\{0,7}["'${'`'}]|%22)?\]?[ \t\u00a0]{0,4}(?:=>|=|:|%3[ad])[ \t\u00a0]{0,4}(?:%22)?`,
    String.raw`(?<=<[\w:.-]{1,60})>`,
    String.raw`(?<=pass(?:word|wd|phrase)) for(?: [^\s:]{1,64}){1,3}: {1,4}`,
    String.raw`\\{0,7}["'],\s{0,8}(?=\\{0,7}["'])`,
  ].join('|')})`,
  'gi',
)
const SECRET_NAME = new RegExp(`${HEADERS}|${NAMES}`, 'i')
const QUOTE = /(\\{0,7})(["'`])/y
/** A value without quotes is a run of these characters. */
const BARE = /[^\s"'`&;<>]*/y
const REST_OF_LINE = /[^\r\n]*/y
/** Ends a list or a sentence, not the value in it. */
const AFTER_VALUE = new Set(['.', ',', ')', ']', '}', '\\'])
/** Values that mean none, and what is hidden already. */
const NO_VALUE = /^(?:\[hidden|\*+$|(?:null|undefined|true|false|none)$)/i

const DIGITS = /(?<![\w.-])\d+(?:[ -]\d+)*(?![\w-])/g
/** Numbers of Visa, Mastercard, American Express, Discover, Diners Club, JCB and UnionPay. */
const CARD =
  /^(?:4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|6(?:011|4[4-9]\d|5\d\d)\d{12,15}|3(?:0[0-5]|[68]\d)\d{11}|35\d{14}|62\d{14,17})$/

/** The default rules, and the service's own patterns. */
export function secretHider(patterns: readonly RegExp[] = []): HideSecrets {
  const own = patterns.map(({ source, flags }) => new RegExp(source, `${flags.replaceAll(/[gy]/g, '')}g`))
  return (text, max) => {
    const seen = text.length > max + LOOK_AHEAD ? text.slice(0, max + LOOK_AHEAD) : text
    const spans = [
      ...passwordsInUrls(seen, seen.length < text.length),
      ...named(seen),
      ...afterScheme(seen),
      ...cards(seen),
    ]
    for (const pattern of [SHAPES, PEM, ...own])
      for (const { index, 0: found } of seen.matchAll(pattern))
        if (found !== '') spans.push([index, index + found.length])
    return cut(withoutSpans(text, spans, max), max, text.length > max)
  }
}

/** Whether a name, or a member's path, contains the name of a secret. Whatever stands there is hidden. */
export function namesSecret(name: string): boolean {
  return SECRET_NAME.test(name)
}

/** Only cuts, for `redactErrors: false`. */
export const hideNothing: HideSecrets = (text, max) => cut(text, max, text.length > max)

function cut(text: string, max: number, goesOn: boolean): string {
  return text.length > max || goesOn ? `${text.slice(0, max)}…` : text
}

/** The text before `max`, with each span replaced. Spans may overlap, in any order. */
function withoutSpans(text: string, spans: Span[], max: number): string {
  if (spans.length === 0) return text.slice(0, max)
  spans.sort(([a], [b]) => a - b)
  let shown = ''
  let at = 0
  for (const [start, end] of spans) {
    if (start >= max) break
    if (end <= at) continue
    if (start >= at) shown += text.slice(at, start) + HIDDEN
    at = end
  }
  return at < max ? shown + text.slice(at, max) : shown
}

/**
 * Finds the token of `https://token@` and the password of `scheme://user:password@`. An unescaped password may hold any
 * character, so it reaches to the last `@` before a space or a quote. If there is none, a quote may be part of it. It
 * then reaches to the last `@` before a space, or to the end of a text that `goesOn` unseen.
 */
function passwordsInUrls(text: string, goesOn: boolean): Span[] {
  const spans: Span[] = []
  const unquoted = runs(/[^\s"'`<>]*/y, text)
  const unspaced = runs(/\S*/y, text)
  for (let at = text.indexOf('://'); at !== -1; at = text.indexOf('://', at)) {
    at += 3
    const colon = endOf(/[^\s/@:"'`<>]*/y, text, at)
    if (text[colon] === '@' && isToken(text, at, colon)) spans.push([at, colon])
    if (text[colon] !== ':') continue
    const [start, afterDigits] = [colon + 1, text[endOf(/\d*/y, text, colon + 1)] ?? '']
    // A port, and an `@` in the path.
    if (/[/?#]/.test(afterDigits)) continue
    let { lastAt: end } = unquoted(at)
    if (end <= colon && !/^["'`<>]?$/.test(afterDigits)) {
      const run = unspaced(at)
      end = run.lastAt > colon ? run.lastAt : goesOn && run.end === text.length ? run.end : end
    }
    if (end <= colon) continue
    if (!text.startsWith(HIDDEN, start)) spans.push([start, end])
    at = end
  }
  return spans
}

/** A token stands alone before a web address's host. A user without a password, as in `ssh://git@…`, is none. */
function isToken(text: string, start: number, end: number): boolean {
  return end - start >= 8 && /https?:\/\/$/i.test(text.slice(Math.max(0, start - 8), start))
}

/** Finds a place's run of a sticky pattern, and its last `@`. Asked from left to right, it reads each run once. */
function runs(pattern: RegExp, text: string): (at: number) => { readonly end: number; readonly lastAt: number } {
  let run = { end: 0, lastAt: -1 }
  return (at) => {
    if (at >= run.end) {
      const end = endOf(pattern, text, at)
      run = { end, lastAt: at + text.slice(at, end).lastIndexOf('@') }
    }
    return run
  }
}

function named(text: string): Span[] {
  const spans: Span[] = []
  NAMED.lastIndex = 0
  for (let found = NAMED.exec(text); found !== null; found = NAMED.exec(text)) {
    const [whole, header] = found
    const [start, end] = valueAt(text, found.index + whole.length, header !== undefined)
    if (end > start && !NO_VALUE.test(text.slice(start, Math.min(end, start + 10)))) spans.push([start, end])
    NAMED.lastIndex = Math.max(NAMED.lastIndex, end)
  }
  return spans
}

/** A value reaches to its closing quote, otherwise to the end of its word, or a header's to the end of its line. */
function valueAt(text: string, at: number, header: boolean): Span {
  QUOTE.lastIndex = at
  const quote = QUOTE.exec(text)
  if (quote !== null) return quotedValue(text, at + quote[0].length, quote[1]?.length ?? 0, quote[2] ?? '"')
  let end = endOf(header ? REST_OF_LINE : BARE, text, at)
  while (end > at && AFTER_VALUE.has(text[end - 1] ?? '')) end--
  return [at, end]
}

/**
 * The closing quote has as many backslashes before it as the opening one, besides escaped pairs. A line's end closes
 * too, so that an unclosed quote does not hide the rest of the text.
 */
function quotedValue(text: string, start: number, depth: number, quote: string): Span {
  let backslashes = 0
  for (let at = start; at < text.length; at++) {
    const character = text[at]
    if (character === '\n') return [start, at]
    if (character === quote && (backslashes < depth || backslashes % (2 * (depth + 1)) === depth))
      return [start, at - backslashes]
    backslashes = character === '\\' ? backslashes + 1 : 0
  }
  return [start, text.length]
}

function afterScheme(text: string): Span[] {
  const spans: Span[] = []
  for (const { index, 0: whole, 1: scheme = '', 2: given = '' } of text.matchAll(SCHEME)) {
    const word = given.slice(0, 20)
    const isToken = scheme.toLowerCase() === 'basic' ? isBasic(given) : !NO_TOKEN.test(word)
    if (isToken) spans.push([index + whole.length - given.length, index + whole.length])
  }
  return spans
}

/** `user:password` in base64, since any word may follow `basic`. */
function isBasic(given: string): boolean {
  return given.length >= 4 && Buffer.from(given.slice(0, 1_024), 'base64').includes(':')
}

function cards(text: string): Span[] {
  const spans: Span[] = []
  for (const { index, 0: run } of text.matchAll(DIGITS)) {
    if (run.length < 13) continue
    const groups = [...run.matchAll(/\d+/g)]
    for (let first = 0; first < groups.length; first++) {
      // Card numbers begin with four digits together.
      if ((groups[first]?.[0].length ?? 0) < 4) continue
      let digits = ''
      for (let last = first; last < groups.length && digits.length < 19; last++) {
        const group = groups[last]
        digits += group?.[0].slice(0, 20) ?? ''
        if (!isCard(digits)) continue
        spans.push([index + (groups[first]?.index ?? 0), index + (group?.index ?? 0) + (group?.[0].length ?? 0)])
        first = last
        break
      }
    }
  }
  return spans
}

/** Checks the issuer and the check digit (Luhn, ISO/IEC 7812-1). */
function isCard(digits: string): boolean {
  if (!CARD.test(digits)) return false
  let sum = 0
  for (let place = 0; place < digits.length; place++) {
    const digit = Number(digits[digits.length - 1 - place]) * (place % 2 === 0 ? 1 : 2)
    sum += digit > 9 ? digit - 9 : digit
  }
  return sum % 10 === 0
}

/** Where the match of a sticky pattern ends that begins at `at`. */
function endOf(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at
  return at + (pattern.exec(text)?.[0].length ?? 0)
}
