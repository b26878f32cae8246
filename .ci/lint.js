/**
 * Lint rules of this repository, for what no rule of oxlint's can say. `.oxlintrc.json` says where each applies.
 */

const LISTENED =
  'use useTestPool or useTestClient, or @outbus/test-kit/connections: ' +
  'a pool or client without an `error` listener ends its process when Postgres ends its connection'

const lostConnections = {
  create(context) {
    return {
      NewExpression(node) {
        const { callee } = node
        const name = callee.type === 'MemberExpression' ? callee.property.name : callee.name
        if (name === 'Pool' || name === 'Client') context.report({ node, message: LISTENED })
      },
    }
  },
}

export default { meta: { name: 'outbus' }, rules: { 'lost-connections': lostConnections } }
