// The one way to the server. Types come from the OpenAPI document (schema.d.ts); nothing else of the console calls fetch
// (files with their progress: upload.ts).
import createClient from 'openapi-fetch'

import { atDesk } from '@/composables/useLookingAgain'

import { isStream, limitOf, SLOW_MS, timedOut } from './limits'
import { ApiProblem, problemOf, unreached } from './problem'
import type { components, paths } from './schema'

export type Schemas = components['schemas']

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS'])

/** What the stores give to the client: it does not import them, they import it. */
export const hooks = {
  /** The token that a request that changes something must carry. */
  csrf: (): string => '',
  /** The session has ended: true when the person has signed in again, so that the request is sent once more. */
  signedInAgain: async (): Promise<boolean> => false,
  /** Another tab has signed in anew: true when it was the same person, so that the request is sent with the token of now. */
  tokenOfNow: async (): Promise<boolean> => false,
  /** Whether the server was reached. */
  reached: (_yes: boolean): void => undefined,
  /** Nothing was answered in time: is the server still there? */
  doubted: (): void => undefined,
  /** One more (1) or one less (-1) has waited for long. */
  slow: (_change: 1 | -1): void => undefined,
  /** When the server answered, by its own clock (header Date), and when it was asked and heard by the desktop's. */
  dated: (_date: string | null, _sent: number, _received: number): void => undefined,
}

const NO_BODY = new Set([101, 204, 205, 304])

/** The whole answer, within the limit of its kind; of a stream the beginning. Throws ApiProblem "timeout". */
async function send(request: Request): Promise<Response> {
  const headers = new Headers(request.headers)
  const { pathname } = new URL(request.url)
  if (!SAFE.has(request.method)) headers.set('X-CSRF-Token', hooks.csrf())
  // What a page asks by itself while nobody is there is no use of the session.
  if (!atDesk()) headers.set('X-Background', 'true')
  const control = new AbortController()
  const stop = (): void => control.abort()
  if (request.signal.aborted) stop()
  request.signal.addEventListener('abort', stop)
  const limit = limitOf(request.method, pathname)
  let [late, slow] = [false, false]
  const soon = setTimeout(() => {
    slow = true
    hooks.slow(1)
  }, SLOW_MS)
  const last = setTimeout(() => {
    late = true
    stop()
  }, limit)
  const sent = Date.now()
  try {
    const response = await fetch(new Request(request, { headers, credentials: 'same-origin', cache: 'no-store', signal: control.signal }))
    hooks.dated(response.headers.get('Date'), sent, Date.now())
    if (isStream(pathname) && response.ok) return response
    const body = await response.arrayBuffer()
    return new Response(NO_BODY.has(response.status) ? null : body, { status: response.status, statusText: response.statusText, headers: response.headers })
  } catch (error) {
    if (!late) throw error
    hooks.doubted()
    throw timedOut(limit, !SAFE.has(request.method))
  } finally {
    clearTimeout(soon)
    clearTimeout(last)
    if (slow) hooks.slow(-1)
  }
}

const OF_SECRETS = new Set(['bad-login', 'code-needed', 'password-ended'])
async function wrongSecret(request: Request, response: Response): Promise<boolean> {
  if (SAFE.has(request.method)) return false
  const told: unknown = await response.clone().json().catch(() => null)
  return OF_SECRETS.has(problemOf(response, told).code) || (request.method === 'POST' && new URL(request.url).pathname === '/v1/session')
}

async function guarded(request: Request): Promise<Response> {
  const copies = [request.clone(), request.clone()]
  try {
    let response = await send(request)
    hooks.reached(true)
    // A wrong password or code is for the form, at signing in and wherever else one is asked for: the session goes on.
    if (response.status === 401 && !(await wrongSecret(request, response)) && (await hooks.signedInAgain())) response = await send(copies.pop() ?? request)
    if (response.status === 403 && !SAFE.has(request.method)) {
      const told: unknown = await response.clone().json().catch(() => null)
      if (problemOf(response, told).code === 'csrf' && (await hooks.tokenOfNow())) response = await send(copies.pop() ?? request)
    }
    return response
  } catch (error) {
    if (error instanceof ApiProblem || (error instanceof DOMException && error.name === 'AbortError')) throw error
    hooks.reached(false)
    throw unreached()
  }
}

export const api = createClient<paths>({ baseUrl: window.location.origin, fetch: guarded })

/** What was answered. Throws ApiProblem. Use: ``await ask(api.GET('/v1/alerts', { params: { query } }))``. */
export async function ask<T>(answer: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data, error, response } = await answer
  if (!response.ok) throw problemOf(response, error)
  return data as T
}

/** The same with the ETag of what was answered, which the one who changes it sends back. */
export async function askTagged<T>(answer: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<{ data: T; tag: string | null }> {
  const { data, error, response } = await answer
  if (!response.ok) throw problemOf(response, error)
  return { data: data as T, tag: response.headers.get('ETag') }
}

/** Of a record that is written: the one that was seen alone, or none at all (a new one). */
export const seenHeaders = (tag: string | null): Record<string, string> => (tag === null ? { 'If-None-Match': '*' } : { 'If-Match': tag })

/** Why it was not written: somebody else was first. */
export const wasFirst = (problem: { status: number; code: string } | null): 'changed' | 'exists' | null =>
  problem?.status !== 412 ? null : problem.code === 'exists' ? 'exists' : 'changed'
