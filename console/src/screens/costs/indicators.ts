// The indicators of a period, as they are printed.
import { api, ask, type Schemas } from '@/api/client'

export type Indicator = Schemas['IndicatorValue']

export const indicators = (organisation: string, period: string): Promise<Schemas['Indicators']> => ask(api.GET('/v1/indicators', { params: { query: { organisation, period } } }))

/** A number as it is read: shares in per cent with one decimal, what is whole as it is, all else with two; null: it cannot be told, never 0. */
export function shownValue(one: Pick<Indicator, 'value' | 'unit'>): string {
  if (one.value === null) return '—'
  return one.value.toFixed(one.unit === '%' ? 1 : Number.isInteger(one.value) ? 0 : 2)
}
