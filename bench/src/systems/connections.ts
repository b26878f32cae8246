/** So many connections, and whoever asks for the next one gets it: each holding one statement, or a pipeline of them. */
import { openPool } from '@outbus/test-kit/connections'
import type pg from 'pg'
import type { Way } from '../contract.ts'
import { connect } from './raw-sql.ts'

export interface Connections {
  query(statement: pg.QueryConfig): Promise<unknown>
  end(): Promise<void>
}

export async function openConnections(url: string, { connections, pipeline }: Way): Promise<Connections> {
  if (!pipeline) {
    const pool = openPool({ connectionString: url, max: connections, min: connections })
    return { query: (statement) => pool.query(statement), end: () => pool.end() }
  }
  const clients = await Promise.all(Array.from({ length: connections }, () => connect(url, { pipeline })))
  let next = 0
  return {
    query: (statement) => (clients[next++ % connections] as pg.Client).query(statement),
    end: async () => void (await Promise.all(clients.map((client) => client.end()))),
  }
}
