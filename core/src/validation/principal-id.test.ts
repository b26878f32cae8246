import { expect, test } from 'vitest'
import { readPrincipalId } from './names.ts'

const read = (id: string) => readPrincipalId(id, { path: 'id' })

test.for([
  'u_42',
  'ada@example.com',
  'auth0|5f7c8ec7c33c6c004bbafe82',
  'arn:aws:iam::123456789012:user/ada',
  'josé',
  'zoë',
  'Nguyễn',
  'łukasz',
  'иван',
  'γιώργος',
  '山田taro',
  'スーザン',
  '김철수',
  'राम',
  'שלום',
  'մարիամ',
])('%j is the id of a principal', (id) => {
  expect(read(id)).toBe(id.normalize('NFC'))
})

test('an id that was typed in two characters is the one that was typed in one', () => {
  expect(read('jose\u0301')).toBe('jos\u00e9')
})

test.for<[what: string, id: string]>([
  ['a blank', 'ada lovelace'],
  ['a blank at its end', 'ada '],
  ['a no-break space', 'ada\u00a0'],
  ['an ideographic space', 'ada\u3000'],
  ['a zero-width space', 'ad\u200ba'],
  ['a zero-width joiner', 'ad\u200da'],
  ['a byte order mark', '\ufeffada'],
  ['a soft hyphen', 'ad\u00ada'],
  ['a word joiner', 'ad\u2060a'],
  ['a Hangul filler, which is a letter', 'ada\u3164'],
  ['a combining grapheme joiner', 'ad\u034fa'],
  ['a variation selector', 'ada\ufe0f'],
  ['a tag character', 'ada\u{e0061}'],
  ['a direction override', 'ad\u202ea'],
  ['a Cyrillic а among Latin letters', '\u0430dmin'],
  ['a Greek ο among Latin letters', 'r\u03bfot'],
  ['Cyrillic letters alone that look like Latin ones', '\u0430\u0441\u0435'],
  ['Greek letters alone that look like Latin ones', '\u039f\u039d\u0395'],
  ['a fullwidth letter', '\uff41dmin'],
  ['a mathematical letter', '\u{1d41a}dmin'],
  ['a ligature', 'o\ufb01ce'],
  ['a Roman numeral', '\u217ene'],
  ['a dotless i', 'adm\u0131n'],
  ['a click letter that looks like l', '\u01c0ia'],
  ['a phonetic letter', 'ro\u0251t'],
  ['a small capital', '\u1d00da'],
  ['a Cherokee letter', '\u13a0da'],
  ['a Lisu letter', '\ua4d0\ua4e1'],
  ['a hyphen that is not ASCII', 'u\u201042'],
  ['a digit that is not ASCII', 'u\u06f4\u06f2'],
  ['a combining mark that nothing composes with', 'ad\u0338a'],
  ['an emoji', 'ada🎉'],
  ['a private-use character', 'ada\ue000'],
  ['half of a surrogate pair', 'ada\ud800'],
  ['nothing', ''],
  ['129 characters', 'x'.repeat(129)],
])('with %s it is none', ([, id]) => {
  expect(() => read(id)).toThrow(expect.objectContaining({ code: 'options.invalid', path: 'id' }))
})
