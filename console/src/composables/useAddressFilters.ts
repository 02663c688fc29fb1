// Filters that live in the address, so that a view can be sent to somebody, kept, and left by the back button.
import { computed, type ComputedRef } from 'vue'
import { useRoute, useRouter, type LocationQueryRaw } from 'vue-router'

export type Filters<K extends string> = Partial<Record<K, string>>

/** ``names``: what of the address belongs to the filters. ``allowed``: values of a filter that has only few; others are ignored. */
export function useAddressFilters<K extends string>(
  names: readonly K[],
  allowed: Partial<Record<K, readonly string[]>> = {},
): { filters: ComputedRef<Filters<K>>; set: (change: Filters<K>) => void; replace: (all: Filters<K>) => void } {
  const route = useRoute()
  const router = useRouter()
  const here = route.path
  // While another page is in front (a list is kept behind its detail page) the filters stay as they were.
  const filters = computed<Filters<K>>((before) => {
    if (before !== undefined && route.path !== here) return before
    const found: Filters<K> = {}
    for (const name of names) {
      const value = route.query[name]
      if (typeof value === 'string' && value !== '' && (allowed[name]?.includes(value) ?? true)) found[name] = value
    }
    return found
  })

  function go(all: Filters<K>): void {
    const query: LocationQueryRaw = { ...route.query }
    for (const name of names) {
      if (all[name]) query[name] = all[name]
      else delete query[name]
    }
    void router.push({ query })
  }

  return { filters, set: (change) => go({ ...filters.value, ...change }), replace: go }
}
