/** Core's forward-only migrations, the line `core`: text by name, made of `core/*.sql`. */
export { coreMigrations } from './core.ts'
/** What each database role may do, and row-level security: text by name, made of `roles/*.sql`. Run as often as wanted, after migrations. */
export { roleStatements } from './roles.ts'
