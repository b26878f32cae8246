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

/** Classes of which an application may have several copies, and the way to recognise what another copy made. */
const BRANDED = {
  DatabaseError: 'postgres-errors.ts recognises an error of the server by its fields',
  OutbusError: 'use isOutbusError',
  DeliveryFailure: 'use isDeliveryFailure',
  CompiledPattern: 'use isCompiledPattern',
}

const foreignInstances = {
  create(context) {
    return {
      BinaryExpression(node) {
        if (node.operator !== 'instanceof') return
        const { right } = node
        const name = right.type === 'MemberExpression' ? right.property.name : right.name
        if (!Object.hasOwn(BRANDED, name)) return
        const message = `${BRANDED[name]}: another copy of the package or another realm has a class of its own`
        context.report({ node, message })
      },
    }
  },
}

export default {
  meta: { name: 'outbus' },
  rules: { 'lost-connections': lostConnections, 'foreign-instances': foreignInstances },
}
