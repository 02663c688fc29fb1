// Whether the server is reached. While it is not, /healthz is asked (no use of the session), and all data are fetched anew afterwards.
import { defineStore } from 'pinia'
import { ref } from 'vue'

import { hooks } from '@/api/client'

const EVERY_MS = 3_000
const SHOWN_MS = 4_000

export const useConnection = defineStore('connection', () => {
  const lost = ref(false)
  /** For a few seconds after it came back. */
  const back = ref(false)
  let timer = 0
  const returned: Array<() => void> = []

  async function look(): Promise<void> {
    try {
      const answer = await fetch('/healthz', { cache: 'no-store' })
      if (answer.ok) found()
    } catch {
      // Still away.
    }
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

  return { lost, back, onReturn }
})
