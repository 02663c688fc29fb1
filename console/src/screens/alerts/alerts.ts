// What the screens of alerts ask of the API.
import type { InfiniteData, QueryClient } from '@tanstack/vue-query'

import { api, ask, type Schemas } from '@/api/client'
import { sortQuery, sortsOf, type Sort } from '@/components/table'
import type { Page } from '@/composables/usePagedList'
import { addDays, startOf } from '@/text/time'

export type Alert = Schemas['ListedAlert']

export const RULES = [
  'location', 'destination', 'mileage', 'fuel_consumption', 'card_binding', 'card_use', 'refuel_frequency', 'traffic_violations',
  'terminal_silent', 'off_hours', 'sealed', 'tank', 'parking', 'route', 'idle_rental',
] as const
export const SEVERITIES = ['high', 'medium', 'low'] as const
export const STATUSES = ['suspected', 'withdrawn'] as const
export const FINDINGS = ['none', 'violation', 'irregular', 'justified', 'data', 'unverifiable'] as const
export const CASE_STATES = [
  'none', 'draft', 'submitted', 'issued', 'refused', 'working', 'extension_asked', 'replied', 'calling_back', 'redo', 'closed', 'cancelled',
] as const

/** The filters as they stand in the address. ``organisation``: with the units below it; ``from`` and ``to`` are days, both included; ``plate`` becomes the vehicle's id. */
export const FILTERS = ['rule', 'severity', 'status', 'finding', 'case_state', 'organisation', 'plate', 'from', 'to', 'unread', 'sort'] as const
/** What the list can be ordered by, and its order where nothing is chosen. */
export type Order = 'detected' | 'occurred' | 'severity'
export const USUAL: Sort & { by: Order } = { by: 'detected', direction: 'desc' }
export const SORTS = sortsOf(['detected', 'occurred', 'severity'] satisfies Order[])
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
          unread: filters.unread === 'true' ? true : undefined,
          ...sortQuery<Order>(filters.sort),
        },
      },
    }),
  )
}

/** So many are marked by one request. */
const MARKED = 1000

/**
 * What the person has read, or not read, of these versions is kept by the server; the lists that are loaded follow. A newer version of
 * an alert is unread again. Throws ApiProblem.
 */
export async function markAlerts(queries: QueryClient, alerts: readonly { id: string; version: number }[], read: boolean): Promise<void> {
  for (let at = 0; at < alerts.length; at += MARKED) {
    const some = alerts.slice(at, at + MARKED).map(({ id, version }) => ({ id, version }))
    // One after the other: the server is not asked for all at once.
    // oxlint-disable-next-line no-await-in-loop
    await ask(api.POST('/v1/alerts:read', { body: { alerts: some, read } }))
    const versions = new Map(some.map((one) => [one.id, one.version]))
    queries.setQueriesData<unknown>({ queryKey: ['alerts'] }, (data: unknown) => marked(data, versions, read))
  }
}

/** A list as it is kept, with what was marked: rows of these versions, and of older ones. */
export function marked(data: unknown, versions: ReadonlyMap<string, number>, read: boolean): unknown {
  const list = data as Partial<InfiniteData<Page<Alert>>> | undefined
  if (!Array.isArray(list?.pages)) return data
  const change = (row: Alert): Alert => {
    const version = versions.get(row.id)
    if (version === undefined || row.unread === null || (read && row.version > version)) return row
    return { ...row, unread: !read }
  }
  return { ...list, pages: list.pages.map((page) => ({ ...page, items: page.items.map(change) })) }
}
