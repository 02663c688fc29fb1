// What a backtest asks, in words.
import { useI18n } from 'vue-i18n'

import { useUnits } from '@/composables/useUnits'
import { allParameters } from '@/screens/parameters/parameters'
import { useValues } from '@/screens/parameters/useValues'
import { useQuery } from '@tanstack/vue-query'

import type { Backtest } from './backtests'

export function useQuestion() {
  const { t } = useI18n()
  const units = useUnits()
  const { nameOf, shown } = useValues()
  // For the units of the values; without them the bare numbers are shown.
  const known = useQuery({ queryKey: ['parameters'], queryFn: allParameters, staleTime: 60_000 })

  function tried(job: Backtest): string {
    if (job.fence) return t('backtests.fence', { name: job.fence.name })
    const values = Object.entries(job.parameters).map(([name, value]) => {
      const defaults = known.data.value?.defaults ?? []
      const own = defaults.find((one) => one.rule === job.rule && one.name === name) ?? defaults.find((one) => one.rule === 'order' && one.name === name)
      return `${nameOf(own?.rule ?? job.rule, name)} ${own ? shown(value, own.unit) : value}`
    })
    return values.join('，') || t('backtests.inForce')
  }
  return {
    tried,
    unit: (job: Backtest): string => (job.organisation === null ? t('backtests.everyone') : units.nameOf(job.organisation)),
  }
}
