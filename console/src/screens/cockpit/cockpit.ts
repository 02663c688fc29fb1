// What the cockpit asks of the API, and when what it shows is too old.
import { api, ask, type Schemas } from '@/api/client'

export type Cockpit = Schemas['Cockpit']
export type CaseNumbers = Schemas['CaseNumbers']
export type StateNumber = Schemas['StateNumber']

export const EVERY_MS = 5_000
/** Older than so: said in plain sight. Three answers were missed. */
export const STALE_MS = 20_000

export const cockpit = (): Promise<Cockpit> => ask(api.GET('/v1/statistics/cockpit'))

/** Whether what was fetched at ``fetchedAt`` (this desktop's clock) is too old. Nothing fetched yet: no. */
export function isStale(fetchedAt: number, now: number): boolean {
  return fetchedAt > 0 && now - fetchedAt > STALE_MS
}

/** "0-3", "30+": the days of a column of ages. */
export function days(age: { from_days: number; to_days: number | null }): string {
  return age.to_days === null ? `${age.from_days}+` : `${age.from_days}–${age.to_days}`
}

/** States with at least one case, in the server's order. */
export function statesShown(cases: CaseNumbers): StateNumber[] {
  return cases.states.filter((one) => one.count > 0)
}

/** "1,234 km" of metres, as whole kilometres; below ten one digit. */
export function kilometres(metres: number): string {
  const km = metres / 1000
  return km.toLocaleString('en-US', { maximumFractionDigits: km < 10 ? 1 : 0 })
}
