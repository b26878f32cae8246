import type { HideSecrets } from './hide-secrets.ts'
import { storableText } from './storable-text.ts'

/** As text that `json` and `text` columns take, cut to `max` characters, without its secrets. */
export function boundedText(text: string, max: number, hideSecrets: HideSecrets): string {
  return storableText(hideSecrets(text, max))
}
