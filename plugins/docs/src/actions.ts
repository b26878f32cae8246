/** What the `Authorizer` is asked about the verbs. */
const document = { collection: 'the collection', id: 'of the document' }
const priority = 'of the options'

export const docsActions = {
  insert: { resource: { ...document, content: 'what is written', priority } },
  get: { resource: document },
  update: { resource: { ...document, patch: 'as RFC 7396 has it', priority } },
  replace: { resource: { ...document, content: 'what is written', priority } },
  delete: { resource: { ...document, priority } },
  find: { resource: { collection: 'the collection', where: 'undefined: every document' } },
}
