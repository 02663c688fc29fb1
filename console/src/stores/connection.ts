// Whether the server is reached. While it is not, /healthz is asked (no use of the session), and all data are fetched anew afterwards.
import { defineStore } from 'pinia'
import { ref } from 'vue'

import { hooks } from '@/api/client'

const EVERY_MS = 3_000
const SHOWN_MS = 4_000
/** A server that is there says so at once. */
const LOOK_MS = 5_000

export const useConnection = defineStore('connection', () => {
  const lost = ref(false)
  /** For a few seconds after it came back. */
  const back = ref(false)
  /** Requests that have waited for long. */
  const slow = ref(0)
  let timer = 0
  const returned: Array<() => void> = []

  async function there(): Promise<boolean> {
    const control = new AbortController()
    const last = window.setTimeout(() => control.abort(), LOOK_MS)
    try {
      return (await fetch('/healthz', { cache: 'no-store', signal: control.signal })).ok
    } catch {
      return false
    } finally {
      window.clearTimeout(last)
    }
  }

  async function look(): Promise<void> {
    window.clearTimeout(timer)
    if (await there()) found()
    if (lost.value) timer = window.setTimeout(() => void look(), EVERY_MS)
  }

  function found(): void {
    if (!lost.value) return
    lost.value = false
    window.clearTimeout(timer)
    back.value = true
    window.setTimeout(() => {
      back.value = false
    }, SHOWN_MS)
    returned.slice().forEach((act) => act())
  }

  function gone(): void {
    if (lost.value) return
    lost.value = true
    timer = window.setTimeout(() => void look(), EVERY_MS)
  }

  async function doubt(): Promise<void> {
    if (!lost.value && !(await there())) gone()
  }

  hooks.doubted = () => void doubt()
  hooks.slow = (change) => {
    slow.value += change
  }
  hooks.reached = (yes) => (yes ? found() : gone())
  window.addEventListener('offline', gone)
  window.addEventListener('online', () => void look())

  /** ``act`` is done each time the connection is back, until what is returned is called. */
  function onReturn(act: () => void): () => void {
    returned.push(act)
    return () => {
      const at = returned.indexOf(act)
      if (at >= 0) returned.splice(at, 1)
    }
  }

  return { lost, back, slow, onReturn }
})
