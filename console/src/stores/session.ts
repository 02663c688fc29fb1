// Who is signed in, and what this person may do.
import { defineStore } from 'pinia'
import { computed, ref } from 'vue'

import { api, ask, hooks, type Schemas } from '@/api/client'
import { ApiProblem } from '@/api/problem'
import type { Permission } from '@/app/permissions'

export type SessionState = Schemas['SessionState']

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
    if (expired.value && !session.must_change_password) {
      expired.value = false
      answer(true)
    }
  }

  /** Ask the server who is signed in. Throws ApiProblem when it is not reached. */
  async function load(): Promise<void> {
    try {
      state.value = await ask(api.GET('/v1/session'))
    } catch (error) {
      if (!(error instanceof ApiProblem) || error.status !== 401) throw error
      state.value = null
    }
    known.value = true
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

  return { state, known, expired, signedIn, permissions, can, load, signIn, changePassword, signOut }
})
