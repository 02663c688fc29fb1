// The one way to the server. Types come from the OpenAPI document (schema.d.ts); nothing else of the console calls fetch
// (files with their progress: upload.ts).
import createClient from 'openapi-fetch'

import { problemOf, unreached } from './problem'
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
}

function send(request: Request): Promise<Response> {
  const headers = new Headers(request.headers)
  if (!SAFE.has(request.method)) headers.set('X-CSRF-Token', hooks.csrf())
  return fetch(new Request(request, { headers, credentials: 'same-origin', cache: 'no-store' }))
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
    if (error instanceof DOMException && error.name === 'AbortError') throw error
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
