/** What the `Authorizer` is asked about the verbs. */
import { EMIT_OPTIONS_RESOURCE } from '@outbus/core/plugin'

const document = { collection: 'the collection', id: 'of the document' }

export const docsActions = {
  insert: { resource: { ...document, content: 'what is written', ...EMIT_OPTIONS_RESOURCE } },
  get: { resource: document },
  update: { resource: { ...document, patch: 'as RFC 7396 has it', ...EMIT_OPTIONS_RESOURCE } },
  replace: { resource: { ...document, content: 'what is written', ...EMIT_OPTIONS_RESOURCE } },
  delete: { resource: { ...document, ...EMIT_OPTIONS_RESOURCE } },
  find: { resource: { collection: 'the collection', where: 'undefined: every document' } },
}
