// Which vehicles and drivers may be taken. The server orders what it suggests and says why, where it can: both are shown only when they are there.
import { api, ask, type Schemas } from '@/api/client'
import { pick } from '@/i18n'
import { bilingual } from '@/api/problem'
import { shownPlate } from '@/text/plates'

type Told = Schemas['Candidate']
export interface Candidate extends Told {
  rank?: number | null
  /** In 分. */
  cost?: number | null
  reasons: string[]
  driver?: string | null
  driver_name?: string | null
}
export interface Choice {
  value: string
  label: string
}

/** A text of the server in the language of the page; of {text, ...} its text. */
function said(reason: unknown): string {
  if (typeof reason === 'string') return pick(bilingual(reason))
  const told = reason as { text?: unknown; name?: unknown } | null
  const text = told?.text ?? told?.name
  return typeof text === 'string' ? pick(bilingual(text)) : ''
}
const number = (value: unknown): number | null => (typeof value === 'number' && Number.isFinite(value) ? value : null)

/** Candidates as they were told, by rank where they have one. Pure. */
export function candidatesIn(items: readonly object[]): Candidate[] {
  const found = items.map((item) => {
    const one = item as Told & Record<string, unknown>
    const reasons = Array.isArray(one.reasons) ? one.reasons.map(said).filter(Boolean) : []
    const of = (name: string): string | null => (typeof one[name] === 'string' ? (one[name] as string) : null)
    return { ...one, rank: number(one.rank), cost: number(one.cost), reasons, driver: of('driver'), driver_name: of('driver_name') } as Candidate
  })
  return found.some((one) => one.rank !== null) ? found.sort((a, b) => (a.rank ?? Infinity) - (b.rank ?? Infinity)) : found
}
export const candidatesOf = async (id: string, plate?: string): Promise<Candidate[]> =>
  candidatesIn((await ask(api.GET('/v1/trip-requests/{id}/candidates', { params: { path: { id }, query: plate ? { plate } : {} } }))).items)

export const driverChoices = async (): Promise<Choice[]> =>
  (await ask(api.GET('/v1/drivers', { params: { query: { limit: 1000 } } }))).items.map((one) => ({ value: one.id, label: one.name || one.id }))
export const vehicleChoices = async (): Promise<Choice[]> =>
  (await ask(api.GET('/v1/vehicles', { params: { query: { limit: 1000 } } }))).items.map((one) => ({ value: one.id, label: shownPlate(one.plate) }))
/** The vehicle that has a plate; undefined: none. */
export const vehicleOf = async (plate: string): Promise<string | undefined> => (await ask(api.GET('/v1/vehicles', { params: { query: { plate, limit: 1 } } }))).items[0]?.id
