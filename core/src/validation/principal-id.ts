/**
 * Which texts may be principal ids. If a reader took two ids for one, one principal could pass for another. Pure.
 *
 * 1. The id is in normal form: NFC, and the same in NFKC. `é` is one id however it was typed; `ａ` and `ﬁ` are none.
 * 2. Of ASCII it has any visible character, and no blank. Of the rest it has letters only, and the marks of their
 *    script.
 * 3. Its letters are of one script in everyday use (UAX 31). Chinese, Japanese and Korean may have Latin beside them.
 * 4. Greek, Cyrillic and Armenian ids have a letter that no Latin letter looks like.
 */

const SCRIPTS = [
  ['Latin'],
  ['Latin', 'Han', 'Hiragana', 'Katakana', 'Hangul', 'Bopomofo'],
  ...['Arabic', 'Armenian', 'Bengali', 'Cyrillic', 'Devanagari', 'Ethiopic', 'Georgian', 'Greek', 'Gujarati'].map(only),
  ...['Gurmukhi', 'Hebrew', 'Kannada', 'Khmer', 'Lao', 'Malayalam', 'Myanmar', 'Oriya', 'Sinhala', 'Tamil'].map(only),
  ...['Telugu', 'Thaana', 'Thai', 'Tibetan'].map(only),
].map((scripts) => {
  const letters = scripts.map((script) => String.raw`\p{Script=${script}}`).join('')
  // The long vowel of Katakana belongs to no script alone.
  return new RegExp(String.raw`^[\x21-\x40\x5b-\x60\x7b-\x7e${letters}${scripts.length > 1 ? 'ー' : ''}]+$`, 'u')
})

const VISIBLE_ASCII = /^[\x21-\x7e]+$/
/**
 * Allowed beside ASCII. Digits, signs and other scripts' marks have many look-alikes; so have Latin phonetic letters.
 */
const LETTERS = /^[\x21-\x7e\p{L}\p{M}]+$/u
const BEYOND_WRITING = /[ıĸſƀ-ɏɐ-ʯ\u{1d00}-\u{1dbf}\u{2c60}-\u{2c7f}\u{a720}-\u{a7ff}\u{ab30}-\u{ab6f}]/u
/** Invisible, although Unicode calls some of them letters. */
const UNSEEN = /\p{Default_Ignorable_Code_Point}/u
/** Letters that look Latin (UTS 39, "confusable"), of the three scripts that have words of nothing else. */
const LIKE_LATIN =
  /^[\x21-\x40\x5b-\x60\x7b-\x7eΑΒΕΖΗΙΚΜΝΟΡΤΥΧαγικνορυАВЕЅІЈКМНОРСТУХҮԌԚԜагеорсухѕіјһԁԛԝүӏԼՏՕՍցզհոսօյք]+$/u

/** What is wrong with `id`, which is in NFC. Undefined: nothing. */
export function lookAlikeProblem(id: string): string | undefined {
  if (VISIBLE_ASCII.test(id)) return undefined
  if (/\s/u.test(id)) return 'has no blanks'
  if (!LETTERS.test(id) || UNSEEN.test(id) || BEYOND_WRITING.test(id) || id.normalize('NFKC') !== id)
    return 'has letters beside ASCII only, and none that is drawn as nothing or as another one'
  if (!SCRIPTS.some((script) => script.test(id))) return 'has letters of one script'
  return LIKE_LATIN.test(id) ? 'has a letter that no Latin letter looks like' : undefined
}

function only(script: string): [string] {
  return [script]
}
