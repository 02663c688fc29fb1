// Creates that are made once: the same is sent under the same key, so that who presses again after an answer that was lost makes nothing twice.
import { asProblem } from './problem'

/** Of forms that nobody has sent to an end; older ones are forgotten. */
const MOST = 50
const keys = new Map<string, string>()

/** Nobody else's, also where the page comes over plain HTTP (no crypto.randomUUID). */
export function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (one) => one.toString(16).padStart(2, '0')).join('')
}

/** ``send`` under a key that stays the same for the same ``contents`` until the server has answered: that it is made, or that it is refused. */
export async function once<T>(operation: string, contents: unknown, send: (key: string) => Promise<T>): Promise<T> {
  const what = `${operation} ${JSON.stringify(contents)}`
  const key = keys.get(what) ?? randomKey()
  keys.set(what, key)
  if (keys.size > MOST) keys.delete(keys.keys().next().value as string)
  try {
    const made = await send(key)
    keys.delete(what)
    return made
  } catch (error) {
    const { status } = asProblem(error)
    if (status >= 400 && status < 500 && status !== 408 && status !== 429) keys.delete(what)
    throw error
  }
}
