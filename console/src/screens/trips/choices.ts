// Which vehicles and drivers may be taken: the server orders the vehicles and says why.
import { api, ask, type Schemas } from '@/api/client'
import { pick } from '@/i18n'
import { bilingual } from '@/api/problem'
import { shownPlate } from '@/text/plates'

export interface Candidate extends Omit<Schemas['Candidate'], 'terms'> {
  /** What it costs, term by term, in the language of the page. */
  reasons: string[]
}
export interface Choice {
  value: string
  label: string
}

/** What the server suggests: the vehicles, the best first, and those that come next to being possible, with what is in their way. */
export interface Suggested {
  items: Candidate[]
  failed: { id: string; plate: string; reasons: string[] }[]
}

export const yuanText = (fen: number): string => `¥${(fen / 100).toFixed(2)}`

/** The suggestions in the language of the page. Pure. */
export function suggestedIn(told: Pick<Schemas['Candidates'], 'items' | 'failed'>): Suggested {
  return {
    items: told.items.map(({ terms, ...one }) => ({ ...one, reasons: terms.map((term) => `${pick(bilingual(term.text))} ${yuanText(term.fen)}`) })),
    failed: told.failed.map(({ id, plate, reasons }) => ({ id, plate, reasons: reasons.map((reason) => pick(bilingual(reason.text))) })),
  }
}
export const candidatesOf = async (id: string, plate?: string): Promise<Suggested> =>
  suggestedIn(await ask(api.GET('/v1/trip-requests/{id}/candidates', { params: { path: { id }, query: plate ? { plate } : {} } })))

export const driverChoices = async (): Promise<Choice[]> =>
  (await ask(api.GET('/v1/drivers', { params: { query: { limit: 1000 } } }))).items.map((one) => ({ value: one.id, label: one.name || one.id }))
export const vehicleChoices = async (): Promise<Choice[]> =>
  (await ask(api.GET('/v1/vehicles', { params: { query: { limit: 1000 } } }))).items.map((one) => ({ value: one.id, label: shownPlate(one.plate) }))
/** The vehicle that has a plate; undefined: none. */
export const vehicleOf = async (plate: string): Promise<string | undefined> => (await ask(api.GET('/v1/vehicles', { params: { query: { plate, limit: 1 } } }))).items[0]?.id
