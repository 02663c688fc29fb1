// Who is signed in, and what this person may do.
import { defineStore } from 'pinia'
import { computed, ref } from 'vue'

import { api, ask, hooks, type Schemas } from '@/api/client'
import { ApiProblem } from '@/api/problem'
import type { Permission } from '@/app/permissions'
import { serverNow } from '@/text/now'

import { readStored, store } from './stored'

export type SessionState = Schemas['SessionState']

/** Where a driver's drives are kept for times without a network (screens/driving); here because they go when somebody signs out. */
export const DRIVES_KEPT = 'drives'
/** Who drives and signed in here last: without a network the page of drives opens for him, and nothing else. */
const DRIVER_KEPT = 'driver'
type Driver = Pick<SessionState, 'id' | 'login' | 'name' | 'ends_at'>

function keepDriver(session: SessionState | null): void {
  const drives = session !== null && session.permissions.includes('trips:drive')
  store(DRIVER_KEPT, drives ? ({ id: session.id, login: session.login, name: session.name, ends_at: session.ends_at } satisfies Driver) : null)
  if (!drives) store(DRIVES_KEPT, null)
}

/** The session of a driver as far as it is known without the server: it can read what is kept, and send nothing before the server has said more. */
function driverKept(): SessionState | null {
  const kept = readStored<Driver | null>(DRIVER_KEPT, null)
  if (kept === null || typeof kept.login !== 'string' || !(Date.parse(kept.ends_at) > serverNow())) return null
  return {
    ...kept, must_change_password: false, second_factor: false, recovery_codes_left: 0, method: 'password', began_at: kept.ends_at, roles: [], permissions: ['trips:drive'],
    grants: [], delegations: [], driver: null, csrf_token: '',
  }
}

export const useSession = defineStore('session', () => {
  const state = ref<SessionState | null>(null)
  /** false until the server has said whether somebody is signed in. */
  const known = ref(false)
  /** The session has ended while somebody worked: the dialog over the page asks to sign in again. */
  const expired = ref(false)
  let waiting: Promise<boolean> | null = null
  let answer: (again: boolean) => void = () => undefined

  const permissions = computed(() => new Set<string>(state.value?.permissions))
  const signedIn = computed(() => state.value !== null)

  /** Whether the person has one of ``wanted``; none wanted: whether somebody is signed in. */
  function can(...wanted: Permission[]): boolean {
    return signedIn.value && (wanted.length === 0 || wanted.some((one) => permissions.value.has(one)))
  }

  function began(session: SessionState): void {
    const before = state.value?.login
    if (expired.value && before !== undefined && before !== session.login) {
      // Another person: nothing of the one before stays on the screen.
      window.location.assign('/')
      return
    }
    state.value = session
    known.value = true
    keepDriver(session)
    if (expired.value && !session.must_change_password) {
      expired.value = false
      answer(true)
    }
  }

  /** Ask the server who is signed in. Throws ApiProblem when it is not reached. */
  async function load(): Promise<void> {
    try {
      state.value = await ask(api.GET('/v1/session'))
      keepDriver(state.value)
    } catch (error) {
      if (!(error instanceof ApiProblem)) throw error
      const driver = error.status === 0 && state.value === null ? driverKept() : null
      if (error.status !== 401 && driver === null) throw error
      state.value = driver
    }
    known.value = true
  }

  /** The server is back: what a driver's session lacks. Where it has ended, the dialog asks to sign in again. */
  async function complete(): Promise<void> {
    if (state.value?.csrf_token !== '') return
    const found = await ask(api.GET('/v1/session')).catch(() => null)
    if (found === null) return
    if (found.login === state.value.login) began(found)
    else window.location.assign('/') // somebody else has signed in since
  }

  /** Throws ApiProblem: bad-login, code-needed, password-ended, too-many-failures. */
  async function signIn(login: string, password: string, code: string | null): Promise<void> {
    began(await ask(api.POST('/v1/session', { body: { login, password, code } })))
  }

  async function changePassword(password: string, next: string): Promise<void> {
    began(await ask(api.POST('/v1/session/password', { body: { password, new_password: next } })))
  }

  /** Everything of the person leaves the page with a new load of it. */
  async function signOut(): Promise<void> {
    try {
      await ask(api.DELETE('/v1/session'))
    } catch (error) {
      if (!(error instanceof ApiProblem) || error.status !== 401) throw error
    }
    keepDriver(null)
    window.location.assign('/login')
  }

  hooks.csrf = () => state.value?.csrf_token ?? ''
  hooks.tokenOfNow = async () => {
    const before = state.value?.login
    await load()
    if (state.value?.login === before) return before !== undefined
    window.location.assign('/') // somebody else signed in in another tab
    return false
  }
  hooks.signedInAgain = () => {
    if (state.value === null) return Promise.resolve(false) // nobody was: the router sends to the login page
    if (waiting === null) {
      expired.value = true
      waiting = new Promise<boolean>((resolve) => {
        answer = resolve
      }).finally(() => {
        waiting = null
      })
    }
    return waiting
  }

  return { state, known, expired, signedIn, permissions, can, load, complete, signIn, changePassword, signOut }
})
