/** One SQL statement, as core and plugins write it. `{schema}` stands where the schema of the bus goes. */

export interface Statement<Parameters extends readonly unknown[], Row> {
  readonly name: string
  readonly text: string
  /** Rows come as arrays of the texts that Postgres sent, unparsed. For the claim path. */
  readonly raw: boolean
  /** Carries the types; never there at run time. */
  readonly types?: { parameters: Parameters; row: Row }
}
