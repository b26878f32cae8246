import { describeSource } from '@outbus/test-kit/conformance'
import { http } from './index.ts'

describeSource(http(), {
  events: [
    { op: 'request', method: 'GET', path: '/users/7' },
    { op: 'request', method: 'POST', path: '/', query: { a: ['1', '2'] }, body: { total: 9 }, encoding: 'json' },
    { op: 'request', method: 'PUT', path: '/files/a/b', headers: { 'x-kind': 'text' }, body: 'x', encoding: 'text' },
  ],
  filters: [
    { path: '/users/:id' },
    { path: '/files/*rest', method: ['PUT', 'DELETE'] },
    { path: '/', method: 'POST' },
    { path: '/*all', pattern: { headers: { 'x-kind': ['text'] } } },
  ],
})
