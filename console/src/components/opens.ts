// From a number to the rows that it counts: statistics name the list (path and query) that has as many.
import type { LocationQuery, LocationQueryRaw, RouteLocationRaw } from 'vue-router'

export interface Opens {
  path: string
  query: Record<string, string>
}

/** Where the rows of ``opens`` are shown; ``counted``: the number that was pressed, said there beside the rows. */
export function rowsPlace(opens: Opens, counted?: number): RouteLocationRaw {
  const query: LocationQueryRaw = { ...opens.query, list: opens.path }
  if (counted !== undefined) query.counted = String(counted)
  return { path: '/rows', query }
}

/** The list that an address names. */
export function opensOf(query: LocationQuery): Opens & { counted: number | null } {
  const asked: Record<string, string> = {}
  for (const [name, value] of Object.entries(query)) {
    if (typeof value === 'string' && value !== '' && name !== 'list' && name !== 'counted' && name !== 'cursor' && name !== 'limit') asked[name] = value
  }
  const counted = typeof query.counted === 'string' && /^\d{1,9}$/.test(query.counted) ? Number(query.counted) : null
  return { path: typeof query.list === 'string' ? query.list : '', query: asked, counted }
}
