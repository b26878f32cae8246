/** vitest `setupFiles` where test files share their modules (`isolate: false`): vitest runs this before each of them. */
import { afterAll } from 'vitest'
import { endTestFile } from './vitest.ts'

afterAll(endTestFile)
