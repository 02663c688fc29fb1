// Views (filters with a name) that a person keeps in this browser.
import { ref } from 'vue'

import { useSession } from '@/stores/session'
import { readStored, store } from '@/stores/stored'

export interface SavedView {
  name: string
  filters: Record<string, string>
}

const MOST = 30

export function useSavedViews(screen: string) {
  const session = useSession()
  const key = `views.${session.state?.login ?? ''}.${screen}`
  const kept = readStored<unknown>(key, [])
  const views = ref<SavedView[]>(
    Array.isArray(kept) ? kept.filter((one): one is SavedView => typeof one?.name === 'string' && typeof one.filters === 'object') : [],
  )

  /** One of the same name is replaced. */
  function keep(name: string, filters: Record<string, string>): void {
    views.value = [...views.value.filter((one) => one.name !== name), { name, filters }].slice(-MOST)
    store(key, views.value)
  }

  function remove(name: string): void {
    views.value = views.value.filter((one) => one.name !== name)
    store(key, views.value)
  }

  return { views, keep, remove }
}
