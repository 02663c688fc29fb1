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

/** What the server suggests: the vehicles, and those that come next to being possible, with what is in their way. */
export interface Suggested {
  items: Candidate[]
  failed: { id: string; plate: string; reasons: string[] }[]
}

/** A text of the server in the language of the page; of {text, fen} with what it costs. */
function said(reason: unknown): string {
  if (typeof reason === 'string') return pick(bilingual(reason))
  const told = reason as { text?: unknown; fen?: unknown } | null
  if (typeof told?.text !== 'string') return ''
  const fen = number(told.fen)
  return `${pick(bilingual(told.text))}${fen === null ? '' : ` ${yuanText(fen)}`}`
}
export const yuanText = (fen: number): string => `¥${(fen / 100).toFixed(2)}`
const number = (value: unknown): number | null => (typeof value === 'number' && Number.isFinite(value) ? value : null)
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : [])
const textsIn = (...values: unknown[]): string[] => values.flatMap(list).map(said).filter(Boolean)
const word = (value: unknown): string | null => (typeof value === 'string' ? value : null)

/** Candidates as they were told, by rank where they have one. Pure. */
export function suggestedIn(told: { items: readonly object[] }): Suggested {
  const items = told.items.map((item) => {
    const one = item as Told & Record<string, unknown>
    return { ...one, rank: number(one.rank), cost: number(one.cost) ?? number(one.cost_fen), reasons: textsIn(one.reasons, one.terms), driver: word(one.driver), driver_name: word(one.driver_name) } as Candidate
  })
  if (items.some((one) => one.rank !== null)) items.sort((a, b) => (a.rank ?? Infinity) - (b.rank ?? Infinity))
  const failed = list((told as Record<string, unknown>).failed).map((item) => {
    const one = item as Record<string, unknown>
    return { id: word(one.id) ?? '', plate: word(one.plate) ?? '', reasons: textsIn(one.reasons) }
  })
  return { items, failed }
}
export const candidatesOf = async (id: string, plate?: string): Promise<Suggested> =>
  suggestedIn(await ask(api.GET('/v1/trip-requests/{id}/candidates', { params: { path: { id }, query: plate ? { plate } : {} } })))

export const driverChoices = async (): Promise<Choice[]> =>
  (await ask(api.GET('/v1/drivers', { params: { query: { limit: 1000 } } }))).items.map((one) => ({ value: one.id, label: one.name || one.id }))
export const vehicleChoices = async (): Promise<Choice[]> =>
  (await ask(api.GET('/v1/vehicles', { params: { query: { limit: 1000 } } }))).items.map((one) => ({ value: one.id, label: shownPlate(one.plate) }))
/** The vehicle that has a plate; undefined: none. */
export const vehicleOf = async (plate: string): Promise<string | undefined> => (await ask(api.GET('/v1/vehicles', { params: { query: { plate, limit: 1 } } }))).items[0]?.id
