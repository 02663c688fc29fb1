// The form of a request: from its contents and back, and where a refusal belongs. Pure.
import type { ApiProblem, ProblemEntry } from '@/api/problem'
import type { Schemas } from '@/api/client'
import { parseAhead } from '@/text/ahead'
import { cellTime, dayOf } from '@/text/time'

import type { Contents } from './trips'

export type Place = Schemas['Place']
export interface Draft {
  organisation: string
  purpose: Contents['purpose']
  reason: string
  stops: (Place | null)[]
  departure: string
  return: string
  passengers: string
  origin: Place | null
  return_point: Place | null
  category: Contents['category']
  scope: 'city' | 'province' | 'outside'
  basis: string
  department: string
  applicant_name: string
  user: string
  phone: string
  passenger_list: string
  outsiders: string
  vehicle_wish: string
  driver_mode: Contents['driver_mode']
  pool_consent: boolean
  confidential: boolean
  budget_item: string
  backfill: boolean
  /** Of a 补单: which car, and when it drove. */
  plate: string
  departed: string
  returned: string
}
/** What stands in sight always; the rest has a value of the trip before, or a usual one. */
export const FIRST = ['stops', 'planned_departure', 'planned_return', 'reason', 'passengers'] as const
const PLACED = [...FIRST, 'purpose', 'origin', 'return_point', 'organisation', 'category', 'scope', 'basis', 'department', 'applicant_name', 'user', 'phone', 'passenger_list', 'outsiders', 'vehicle_wish', 'driver_mode', 'budget_item', 'driven'] as const
export type FieldName = (typeof PLACED)[number]
export type Flaws = Partial<Record<FieldName, string>>

export function emptyDraft(organisation: string): Draft {
  return {
    organisation, purpose: 'meeting', reason: '', stops: [null], departure: '', return: '', passengers: '1', origin: null, return_point: null, category: 'other', scope: 'city',
    basis: '', department: '', applicant_name: '', user: '', phone: '', passenger_list: '', outsiders: '', vehicle_wish: '', driver_mode: 'with_driver', pool_consent: false,
    confidential: false, budget_item: '', backfill: false, plate: '', departed: '', returned: '',
  }
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '')
const place = (value: unknown): Place | null => {
  const given = value as Partial<Place> | null | undefined
  return typeof given?.lat === 'number' && typeof given.lon === 'number' && given.datum ? { name: text(given.name), lat: given.lat, lon: given.lon, datum: given.datum } : null
}
const places = (value: unknown): (Place | null)[] => (Array.isArray(value) && value.length > 0 ? value.map(place) : [null])

/** A request in the form. ``own``: login of who fills it in; for somebody else it keeps whose it is. */
export function formOf(contents: Record<string, unknown>, own: string): Draft {
  const given = contents as Partial<Contents>
  const plain = emptyDraft(text(given.organisation))
  const driven = given.driven ?? null
  return {
    ...plain,
    purpose: given.purpose ?? plain.purpose, reason: text(given.reason), stops: places(given.stops), departure: given.planned_departure ? cellTime(given.planned_departure) : '',
    return: given.planned_return ? cellTime(given.planned_return) : '', passengers: String(given.passengers ?? 1), origin: place(given.origin), return_point: place(given.return_point),
    category: given.category ?? plain.category, scope: given.scope === 'province' || given.scope === 'outside' ? given.scope : 'city', basis: text(given.basis), department: text(given.department),
    applicant_name: given.applicant === own ? '' : text(given.applicant_name), user: text(given.user), phone: text(given.phone), passenger_list: (given.passenger_list ?? []).join('、'),
    outsiders: text(given.outsiders), vehicle_wish: text(given.vehicle_wish), driver_mode: given.driver_mode ?? plain.driver_mode, pool_consent: given.pool_consent === true,
    confidential: given.confidential === true, budget_item: text(given.budget_item), backfill: given.kind === 'backfill',
    departed: driven?.departed ? cellTime(driven.departed) : '', returned: driven?.returned ? cellTime(driven.returned) : '',
  }
}

/** The trip of another day once more: everything but its times, and not whose it was. */
export function onceMore(contents: Record<string, unknown>): Draft {
  return { ...formOf(contents, text(contents.applicant)), departure: '', return: '', applicant_name: '', backfill: false, plate: '', departed: '', returned: '' }
}

export interface Times {
  departure: string | null
  return: string | null
}
/** The planned times, as they were written. */
export function timesOf(draft: Pick<Draft, 'departure' | 'return'>, now: number): Times {
  const departure = parseAhead(draft.departure, now)
  return { departure, return: parseAhead(draft.return, now, departure) }
}

/** Whether a paper has to be named: outside of the city, and over night. */
export function needsBasis(draft: Draft, times: Times): boolean {
  return draft.scope !== 'city' || (times.departure !== null && times.return !== null && dayOf(times.departure) !== dayOf(times.return))
}

type Say = (flaw: 'needed' | 'noTime' | 'noPlace' | 'noNumber' | 'short' | 'backwards') => string
/** What keeps the form from being sent, at its field; the server looks once more. */
export function flawsOf(draft: Draft, times: Times, say: Say): Flaws {
  const found: Flaws = {}
  if (draft.stops.some((one) => one === null)) found.stops = say('noPlace')
  if (draft.origin === null) found.origin = say('noPlace')
  if (times.departure === null) found.planned_departure = say(draft.departure.trim() ? 'noTime' : 'needed')
  if (times.return === null) found.planned_return = say(draft.return.trim() ? 'noTime' : 'needed')
  else if (times.departure !== null && Date.parse(times.return) <= Date.parse(times.departure)) found.planned_return = say('backwards')
  if ([...draft.reason.trim()].length < 8) found.reason = say(draft.reason.trim() ? 'short' : 'needed')
  if (!/^\d{1,3}$/.test(draft.passengers.normalize('NFKC').trim())) found.passengers = say('noNumber')
  if (!draft.organisation) found.organisation = say('needed')
  if (needsBasis(draft, times) && !draft.basis.trim()) found.basis = say('needed')
  return found
}

/** What is sent. ``times``: both are there; ``driven``: of a 补单. */
export function contentsOf(draft: Draft, times: Times, driven: Contents['driven']): Contents {
  const or = (value: string): string | null => value.trim() || null
  return {
    organisation: draft.organisation, kind: driven ? 'backfill' : 'normal', department: or(draft.department), applicant: null, applicant_name: or(draft.applicant_name), user: or(draft.user),
    user_account: null, phone: draft.phone.trim(), category: draft.category, purpose: draft.purpose, reason: draft.reason.trim(), basis: draft.basis.trim(),
    passengers: Number(draft.passengers.normalize('NFKC').trim()), passenger_list: draft.passenger_list.split(/[、,，;；\n]+/).map((one) => one.trim()).filter(Boolean),
    outsiders: draft.outsiders.trim(), origin: draft.origin as Place, stops: draft.stops as Place[], return_point: draft.return_point, planned_departure: times.departure ?? '',
    planned_return: times.return ?? '', scope: draft.scope, vehicle_wish: draft.vehicle_wish.trim(), driver_mode: draft.driver_mode, pool_consent: draft.pool_consent,
    confidential: draft.confidential, budget_item: draft.budget_item.trim(), driven,
  }
}

/** The field that a refusal of the server is about: "/stops/0/lat" and "/contents/stops" are the same to people. */
export function fieldOf(entry: ProblemEntry): FieldName | null {
  const path = (entry.pointer ?? '').split('/').filter(Boolean)
  const name = path[0] === 'contents' ? path[1] : path[0]
  return PLACED.find((one) => one === name) ?? null
}
/** A refusal in two: what stands at its field, and whether something is left that belongs to none. */
export function placedFlaws(problem: ApiProblem | null, pick: (message: string) => string): { flaws: Flaws; others: boolean } {
  const flaws: Flaws = {}
  let others = problem !== null && problem.errors.length === 0
  for (const one of problem?.errors ?? []) {
    const name = fieldOf(one)
    if (name === null) others = true
    else flaws[name] = flaws[name] ? `${flaws[name]} ${pick(one.message)}` : pick(one.message)
  }
  return { flaws, others }
}

/** "31.98, 120.89", as it is read off another map; null: no coordinates, or none in China. */
export function typedPoint(typed: string): Place | null {
  const found = /^(\d{1,3}(?:\.\d+)?)\s*[,， ]\s*(\d{1,3}(?:\.\d+)?)$/.exec(typed.normalize('NFKC').trim())
  if (!found) return null
  const [one, other] = [Number(found[1]), Number(found[2])]
  const [lat, lon] = one > 60 ? [other, one] : [one, other]
  return lat >= 3 && lat <= 54 && lon >= 73 && lon <= 136 ? { name: '', lat, lon, datum: 'wgs84' } : null
}

/** Places of earlier trips, the newest first, each once. */
export function placesOf(trips: ReadonlyArray<Record<string, unknown>>): Place[] {
  const found = new Map<string, Place>()
  for (const trip of trips) {
    for (const one of [...places(trip.stops), place(trip.origin), place(trip.return_point)]) {
      if (one && !found.has(keyOf(one))) found.set(keyOf(one), one)
    }
  }
  return [...found.values()]
}
export const keyOf = (one: Place): string => `${one.name}|${one.lat}|${one.lon}|${one.datum}`
