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

const MOCKED = new Set(['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate', 'queueMicrotask'])
const CLOCK =
  'take it from core/src/time/clock.ts, in a plugin `clock` of @outbus/core: an application may mock its own'

/** Whether a name of this file is imported. Every other `setTimeout` is the application's. */
function importedNames(program) {
  const imports = program.body.filter(({ type }) => type === 'ImportDeclaration')
  return new Set(imports.flatMap(({ specifiers }) => specifiers.map(({ local }) => local.name)))
}

const realClock = {
  create(context) {
    let imported = new Set()
    const isGlobal = (node, name) => node.type === 'Identifier' && node.name === name && !imported.has(name)
    return {
      Program(node) {
        imported = importedNames(node)
      },
      ImportDeclaration(node) {
        if (/^(node:)?(timers|timers\/promises|perf_hooks)$/.test(node.source.value))
          context.report({ node, message: CLOCK })
      },
      CallExpression(node) {
        const { callee } = node
        if (callee.type === 'Identifier' && MOCKED.has(callee.name) && !imported.has(callee.name))
          context.report({ node, message: CLOCK })
      },
      MemberExpression(node) {
        const { object, property } = node
        const clock =
          (isGlobal(object, 'Date') && property.name === 'now') ||
          (isGlobal(object, 'performance') && property.name === 'now') ||
          (isGlobal(object, 'process') && (property.name === 'nextTick' || property.name === 'hrtime')) ||
          (isGlobal(object, 'AbortSignal') && property.name === 'timeout') ||
          (isGlobal(object, 'globalThis') && MOCKED.has(property.name))
        if (clock) context.report({ node, message: CLOCK })
      },
      NewExpression(node) {
        if (isGlobal(node.callee, 'Date') && node.arguments.length === 0) context.report({ node, message: CLOCK })
      },
    }
  },
}

export default {
  meta: { name: 'outbus' },
  rules: { 'lost-connections': lostConnections, 'real-clock': realClock, 'foreign-instances': foreignInstances },
}
