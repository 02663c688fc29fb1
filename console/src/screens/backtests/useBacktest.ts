// One backtest, asked for again while it waits or runs.
import { useQuery, useQueryClient } from '@tanstack/vue-query'
import { computed, type Ref } from 'vue'

import { useLookingAgain } from '@/composables/useLookingAgain'

import { backtest, open } from './backtests'

const WHILE_OPEN_MS = 2000

/** ``no`` undefined: none is asked for. */
export function useBacktest(no: Ref<number | undefined>) {
  const queries = useQueryClient()
  const query = useQuery({
    queryKey: ['backtest', no],
    queryFn: () => backtest(no.value ?? 0),
    enabled: computed(() => no.value !== undefined),
  })
  useLookingAgain(WHILE_OPEN_MS, () => open(query.data.value) && query.refetch())
  /** Something was done with it: ask again, for the list as well. */
  async function renew(): Promise<void> {
    await Promise.all([queries.invalidateQueries({ queryKey: ['backtest'] }), queries.invalidateQueries({ queryKey: ['backtests'] })])
  }
  return { query, job: computed(() => query.data.value), renew }
}
