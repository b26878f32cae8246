import type { HideSecrets } from './hide-secrets.ts'
import { storableText } from './storable-text.ts'

/** The text without its secrets, cut to `max` characters, as `json` and `text` columns take it. */
export function boundedText(text: string, max: number, hideSecrets: HideSecrets): string {
  return storableText(hideSecrets(text, max))
}
