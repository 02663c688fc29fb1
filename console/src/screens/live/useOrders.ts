// The orders of the live map while somebody wants to see them: all of them once, then each half minute what has changed.
import { computed, onBeforeUnmount, onMounted, ref, shallowRef, watch } from 'vue'

import { api, ask } from '@/api/client'
import { asProblem, type ApiProblem } from '@/api/problem'

import { columnsOf, taken, type OrderOf } from './orders'
import type { Roster } from './stream'

const EVERY_MS = 30_000

export function useOrders(wanted: () => boolean, roster: () => Roster) {
  const known = shallowRef<ReadonlyMap<string, OrderOf>>(new Map())
  const resting = shallowRef<readonly string[]>([])
  const asOf = ref('')
  const problem = shallowRef<ApiProblem | null>(null)
  let mark: string | undefined
  let timer = 0
  let control: AbortController | undefined

  async function look(): Promise<void> {
    window.clearTimeout(timer)
    control?.abort()
    if (!wanted() || document.hidden) return
    const mine = (control = new AbortController())
    try {
      const answer = await ask(api.GET('/v1/live/orders', { params: { query: { since: mark } }, signal: mine.signal }))
      if (mine.signal.aborted) return
      known.value = taken(known.value, answer)
      resting.value = answer.resting_units
      asOf.value = answer.as_of
      mark = answer.mark
      problem.value = null
    } catch (error) {
      if (mine.signal.aborted) return
      // What is shown stays, with its time; it is asked for again.
      problem.value = asProblem(error)
    }
    timer = window.setTimeout(() => void look(), EVERY_MS)
  }
  watch(wanted, () => void look())
  const seen = (): void => void look()
  onMounted(() => {
    document.addEventListener('visibilitychange', seen)
    void look()
  })
  onBeforeUnmount(() => {
    document.removeEventListener('visibilitychange', seen)
    window.clearTimeout(timer)
    control?.abort()
  })

  /** By index of the roster; null: nobody wants to see them, or they are not known yet. */
  const columns = computed(() => (wanted() && asOf.value ? columnsOf(roster(), known.value, resting.value) : null))
  return { known, columns, asOf, problem, look }
}
