// What the screens of alerts ask of the API.
import { api, ask, type Schemas } from '@/api/client'
import type { Page } from '@/composables/usePagedList'
import { addDays, startOf } from '@/text/time'

export type Alert = Schemas['AlertBody']

export const RULES = [
  'location', 'destination', 'mileage', 'fuel_consumption', 'card_binding', 'card_use', 'refuel_frequency', 'traffic_violations',
  'terminal_silent', 'off_hours',
] as const
export const SEVERITIES = ['high', 'medium', 'low'] as const
export const STATUSES = ['suspected', 'withdrawn'] as const
export const FINDINGS = ['none', 'violation', 'irregular', 'justified', 'data', 'unverifiable'] as const
export const CASE_STATES = [
  'none', 'draft', 'submitted', 'issued', 'refused', 'working', 'extension_asked', 'replied', 'calling_back', 'redo', 'closed', 'cancelled',
] as const

/** The filters as they stand in the address. ``organisation``: with the units below it; ``from`` and ``to`` are days, both included; ``plate`` becomes the vehicle's id. */
export const FILTERS = ['rule', 'severity', 'status', 'finding', 'case_state', 'organisation', 'plate', 'from', 'to'] as const
export type AlertFilters = Partial<Record<(typeof FILTERS)[number], string>>

type One<T extends readonly string[]> = T[number] | undefined

/** The vehicles that have, or had, a plate. */
async function vehicleOf(plate: string): Promise<string | undefined> {
  const found = await ask(api.GET('/v1/vehicles', { params: { query: { plate, limit: 1 } } }))
  return found.items[0]?.id
}

/** One page of the list; no rows where no vehicle has the plate. Throws ApiProblem. */
export async function alertPage(filters: AlertFilters, cursor: string | undefined, limit: number): Promise<Page<Alert>> {
  const vehicle = filters.plate ? await vehicleOf(filters.plate) : undefined
  if (filters.plate && vehicle === undefined) return { items: [], next: null }
  return ask(
    api.GET('/v1/alerts', {
      params: {
        query: {
          cursor,
          limit,
          rule: filters.rule as One<typeof RULES>,
          status: filters.status as One<typeof STATUSES>,
          finding: filters.finding as One<typeof FINDINGS>,
          case_state: filters.case_state as One<typeof CASE_STATES>,
          within: filters.organisation,
          severity: filters.severity as One<typeof SEVERITIES>,
          vehicle,
          from: filters.from ? startOf(filters.from) : undefined,
          to: filters.to ? startOf(addDays(filters.to, 1)) : undefined,
        },
      },
    }),
  )
}
