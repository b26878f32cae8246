/** The folder of core's forward-only `.sql` files, the line `core`. The same from source and from `dist`. */
export const coreMigrations: URL = new URL('../core/', import.meta.url)

/** The folder of what each database role may do, and of row-level security. Run as often as wanted, after migrations. */
export const roleStatements: URL = new URL('../roles/', import.meta.url)
