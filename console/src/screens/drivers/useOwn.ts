// Which driver the person is who is signed in. The session does not say it: his drives or his leave do, else he types his number once.
import { useQuery } from '@tanstack/vue-query'
import { computed, ref } from 'vue'

import { useSession } from '@/stores/session'
import { readStored, store } from '@/stores/stored'

import { ownDriver } from './drivers'

export function useOwn() {
  const session = useSession()
  const login = session.state?.login ?? ''
  const key = `driver-number.${login}`
  const typed = ref(readStored<unknown>(key, ''))
  const query = useQuery({
    queryKey: ['driver-own', login],
    queryFn: async () => (await ownDriver(!session.can('registry:write', 'drivers:decide'))) ?? null,
    enabled: computed(() => session.can('trips:drive')),
  })
  const id = computed<string | undefined>(() => query.data.value ?? (query.data.value === null && typeof typed.value === 'string' && typed.value ? typed.value : undefined))

  function say(number: string): void {
    typed.value = number.trim()
    store(key, typed.value)
  }
  return { query, id, say, saidByHand: computed(() => query.data.value === null && id.value !== undefined) }
}
