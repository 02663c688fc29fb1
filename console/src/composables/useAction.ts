// Something that a person does: at most once at a time, and with its refusal kept to be shown.
import { ref } from 'vue'

import { asProblem, type ApiProblem } from '@/api/problem'

export function useAction() {
  const busy = ref(false)
  const problem = ref<ApiProblem | null>(null)

  /** Do it; true = it is done. While it runs another try does nothing: a double click sends once. */
  async function run(work: () => Promise<unknown>): Promise<boolean> {
    if (busy.value) return false
    busy.value = true
    problem.value = null
    try {
      await work()
      return true
    } catch (error) {
      problem.value = asProblem(error)
      return false
    } finally {
      busy.value = false
    }
  }

  return { busy, problem, run }
}
