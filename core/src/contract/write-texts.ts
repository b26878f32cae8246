/** Of two parts, between which others can be put. */
export interface WriteTexts {
  readonly name: string
  readonly ctes: string
  readonly rows: string
}
