// What the screens of trips ask of the API, and what they have in common.
import { api, ask, type Schemas } from '@/api/client'
import { once } from '@/api/once'
import type { Page } from '@/composables/usePagedList'
import { serverNow } from '@/text/now'
import { cellTime } from '@/text/time'

export type RequestRow = Schemas['TripRequestRow']
export type RequestView = Schemas['TripRequestView']
export type DispatchRow = Schemas['TripDispatchRow']
export type DispatchView = Schemas['TripDispatchView']
export type State = Schemas['TripState']
export type Step = Schemas['TripAction']
export type Entry = Schemas['TripEntry']
export type May = Schemas['TripMay']
export type Contents = Schemas['RequestContents']
export type Paper = 'trip-requests' | 'dispatches'

export const REQUEST_STATES = [
  'draft', 'pending', 'waiting', 'no_vehicle', 'assigned', 'to_confirm', 'disputed', 'confirmed', 'settled', 'rejected', 'withdrawn', 'expired', 'no_show', 'cancelled',
] as const
export const KINDS = ['normal', 'emergency', 'backfill'] as const
export const FILTERS = ['state', 'kind', 'organisation', 'whose', 'late'] as const
export type Filters = Partial<Record<(typeof FILTERS)[number], string>>

const GOOD: readonly State[] = ['approved', 'accepted', 'returned', 'confirmed', 'settled']
const CARE: readonly State[] = ['pending', 'waiting', 'to_confirm', 'reassigning', 'suspended', 'changed']
const BAD: readonly State[] = ['rejected', 'expired', 'no_vehicle', 'overdue', 'no_show', 'disputed']
/** A state by sign and colour: what waits for somebody, what has gone wrong, what is on its way. */
export function stateSign(state: State): { kind: 'plain' | 'good' | 'care' | 'bad'; sign: string } {
  if (BAD.includes(state)) return { kind: 'bad', sign: '！' }
  if (CARE.includes(state)) return { kind: 'care', sign: '◇' }
  if (GOOD.includes(state)) return { kind: 'good', sign: '✓' }
  return { kind: 'plain', sign: state === 'departed' ? '▶' : state === 'assigned' ? '▸' : state === 'cancelled' || state === 'withdrawn' ? '✕' : '' }
}

/** One page of requests, newest first. */
export const requestPage = (filters: Filters, cursor: string | undefined, limit: number): Promise<Page<RequestRow>> =>
  ask(api.GET('/v1/trip-requests', {
    // The values of the address were looked at by useAddressFilters.
    params: { query: { state: filters.state as State | undefined, kind: filters.kind as never, organisation: filters.organisation, mine: filters.whose === 'mine', late: filters.late === '1', cursor, limit } },
  }))

/** All of a list, page after page, ``most`` rows at most. */
async function allOf<T>(page: (cursor: string | undefined) => Promise<Page<T>>, most = 1_000): Promise<T[]> {
  const found: T[] = []
  let cursor: string | undefined
  do {
    // Each page needs the cursor of the one before.
    // oxlint-disable-next-line no-await-in-loop
    const one = await page(cursor)
    found.push(...one.items)
    cursor = one.next ?? undefined
  } while (cursor !== undefined && found.length < most)
  return found
}
type RequestQuery = NonNullable<Parameters<typeof askRequests>[0]>
const askRequests = (query: { state?: State; mine?: boolean; to_decide?: boolean; late?: boolean; cursor?: string | undefined; limit?: number }) =>
  ask(api.GET('/v1/trip-requests', { params: { query } }))
export type DispatchQuery = { state?: State; mine?: boolean; open?: boolean; listed?: boolean; proposed?: boolean; late_change?: boolean; planned_from?: string; planned_to?: string }

export const requestsOf = (query: RequestQuery): Promise<RequestRow[]> => allOf((cursor) => askRequests({ ...query, cursor, limit: 200 }))
export const dispatchesOf = (query: DispatchQuery): Promise<DispatchRow[]> =>
  allOf((cursor) => ask(api.GET('/v1/dispatches', { params: { query: { ...query, cursor, limit: 200 } } })))
export const lastOfMine = async (): Promise<RequestRow[]> => (await askRequests({ mine: true, limit: 8 })).items
export const counts = () => ask(api.GET('/v1/trip-requests/counts'))
export const readRequest = (id: string): Promise<RequestView> => ask(api.GET('/v1/trip-requests/{id}', { params: { path: { id } } }))
export const readDispatch = (id: string): Promise<DispatchView> => ask(api.GET('/v1/dispatches/{id}', { params: { path: { id } } }))
export const draftRequest = (contents: Contents): Promise<RequestView> =>
  once('trip-requests', contents, (key) => ask(api.POST('/v1/trip-requests', { params: { header: { 'Idempotency-Key': key } }, body: contents })))
export const findPlaces = async (search: string): Promise<Schemas['TripPlace'][]> =>
  (await ask(api.GET('/v1/trip-requests/places', { params: { query: { search } } }))).items

/** Take a step of a paper; ``body`` as steps.ts makes it. */
export function takeStep(paper: Paper, id: string, step: Step, body: Record<string, unknown>): Promise<Schemas['TripStepTaken']> {
  const path = `/v1/${paper}/{id}:${step}` as '/v1/trip-requests/{id}:note'
  return ask(api.POST(path, { params: { path: { id } }, body: body as Schemas['TripNote'] }))
}

export const purposes = ['meeting', 'field', 'group', 'guests', 'urgent', 'incident', 'secret_papers', 'enforcement', 'other'] as const
export const categories = ['other', 'confidential', 'emergency', 'enforcement', 'special', 'rental'] as const
export const scopes = ['city', 'province', 'outside'] as const

/** A place as people call it. */
export const placeName = (place: { name?: string; lat?: number | null; lon?: number | null } | null | undefined): string =>
  !place ? '' : place.name || (place.lat === null || place.lat === undefined ? '' : `${place.lat.toFixed(5)}, ${(place.lon ?? 0).toFixed(5)}`)

/** From when to when; of the same day it is said once. ``short``: without the years. */
export function spanText(from: string, to: string, short = false): string {
  const [begin, end] = [cellTime(from), cellTime(to)]
  const year = short ? 5 : 0
  return `${begin.slice(year)} – ${begin.slice(0, 10) === end.slice(0, 10) ? end.slice(11) : end.slice(year)}`
}

/** How long until a moment, in minutes; negative: it is past. */
export const minutesTo = (moment: string): number => Math.round((Date.parse(moment) - serverNow()) / 60_000)

/** Metres on an odometer as kilometres, and back; null: no reading. */
export const kmText = (metres: number | null | undefined): string => (metres === null || metres === undefined ? '—' : (metres / 1000).toFixed(1))
export function metresOf(text: string): number | null {
  const plain = text.normalize('NFKC').trim().replace(/,(?=\d{3})/g, '').replace(/\s*(km|公里)$/i, '')
  return /^\d{1,7}(\.\d{1,3})?$/.test(plain) ? Math.round(Number(plain) * 1000) : null
}
