/** The folder of core's forward-only `.sql` files, the line `core`. The same from source and from `dist`. */
export const coreMigrations: URL = new URL('../core/', import.meta.url)
