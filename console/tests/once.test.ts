// Creates whose answer was lost are sent again under the same key; others are not.
import { describe, expect, it } from 'vitest'

import { once } from '@/api/once'
import { ApiProblem } from '@/api/problem'

const wanted = { title: '核查', alerts: ['a1'] }

/** The keys under which it was sent, and what became of each time. */
async function sent(answers: (Error | 'made')[], contents: (k: number) => unknown = () => wanted): Promise<string[]> {
  const keys: string[] = []
  for (const [k, answer] of answers.entries()) {
    // One press after the other.
    // oxlint-disable-next-line no-await-in-loop
    await once('cases', contents(k), (key) => {
      keys.push(key)
      return answer === 'made' ? Promise.resolve('c1') : Promise.reject(answer)
    }).catch((error: unknown) => expect(error).toBe(answer))
  }
  return keys
}
const lost = new TypeError('Failed to fetch')
const problem = (status: number): ApiProblem => new ApiProblem(status, 'x', 'x', 'x')

describe('a create', () => {
  it.each([['no answer', lost], ['a server that is ill', problem(503)], ['too many requests', problem(429)]])('is the same again after %s', async (_why, error) => {
    const [first, second, third] = await sent([error, error, 'made'])
    expect(first).toMatch(/^[0-9a-f]{32}$/)
    expect([second, third]).toEqual([first, first])
  })
  it('is another one once it was made, or refused, or when something was changed', async () => {
    expect(new Set(await sent(['made', 'made', problem(422), 'made'])).size).toBe(4)
    expect(new Set(await sent([lost, 'made'], (k) => ({ ...wanted, title: `核查${k}` }))).size).toBe(2)
  })
  it('that is pressed twice is one', async () => {
    const keys: string[] = []
    const slow = (key: string): Promise<void> => {
      keys.push(key)
      return new Promise((done) => setTimeout(done, 5))
    }
    await Promise.all([once('cases', wanted, slow), once('cases', wanted, slow), once('trip-requests', wanted, slow)])
    expect(keys[1]).toBe(keys[0])
    expect(keys[2]).not.toBe(keys[0])
  })
})
