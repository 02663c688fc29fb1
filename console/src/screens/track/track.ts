// What the replay of tracks asks of the API.
import { markRaw } from 'vue'

import { api, ask } from '@/api/client'
import { addDays, startOf } from '@/text/time'

import { parseTrack, type Track } from './trackData'

/** Formats of the API, by the ending of their files. */
export const FORMATS = { gpx: 'application/gpx+xml', geojson: 'application/geo+json', csv: 'text/csv' } as const
export type Format = keyof typeof FORMATS

/** An order or an alert, as a stretch of the day. ``to`` null: not over. */
export interface Stretch {
  id: string
  from: number
  to: number | null
  rule?: string
  status: string
  text: string
}

function asked(id: string, day: string, purpose: string, format: Format) {
  return {
    params: {
      path: { id },
      query: { from: startOf(day), to: startOf(addDays(day, 1)) },
      header: purpose ? { 'x-purpose': encodeURIComponent(purpose) } : {},
    },
    headers: { Accept: FORMATS[format] },
  }
}

/** Throws ApiProblem. */
export async function fetchTrack(id: string, day: string, purpose: string): Promise<Track> {
  const text = await ask(api.GET('/v1/vehicles/{id}/track', { ...asked(id, day, purpose, 'csv'), parseAs: 'text' }))
  // Thousands of fixes are read at each picture: Vue has no business in them.
  return markRaw(parseTrack(text as unknown as string))
}

/** The same as a file of the API, byte for byte. Throws ApiProblem. */
export async function fetchFile(id: string, day: string, purpose: string, format: Format): Promise<Blob> {
  return (await ask(api.GET('/v1/vehicles/{id}/track', { ...asked(id, day, purpose, format), parseAs: 'blob' }))) as unknown as Blob
}

export async function vehicleOfPlate(plate: string): Promise<string | undefined> {
  return (await ask(api.GET('/v1/vehicles', { params: { query: { plate, limit: 1 } } }))).items[0]?.id
}

/** An order that began some days before may still have been under way. */
const DAYS_BEFORE = 3

export async function fetchOrders(vehicle: string, day: string): Promise<Stretch[]> {
  const query = { vehicle, departed_from: startOf(addDays(day, -DAYS_BEFORE)), departed_to: startOf(addDays(day, 1)), limit: 200 }
  const page = await ask(api.GET('/v1/dispatch-orders', { params: { query } }))
  const begin = Date.parse(startOf(day))
  return page.items
    .map((one): Stretch => ({
      id: one.id ?? '', status: one.status, text: one.purpose ?? '',
      from: Date.parse(one.actual_departure ?? one.planned_departure),
      to: Date.parse(one.actual_return ?? one.extended_return ?? one.planned_return),
    }))
    .filter((one) => one.status !== 'cancelled' && (one.to ?? Infinity) > begin)
    .sort((a, b) => a.from - b.from)
}

export async function fetchAlerts(vehicle: string, day: string): Promise<Stretch[]> {
  const query = { vehicle, from: startOf(day), to: startOf(addDays(day, 1)), limit: 200 }
  const page = await ask(api.GET('/v1/alerts', { params: { query } }))
  return page.items
    .map((one): Stretch => ({
      id: one.id, status: one.status, rule: one.rule, text: '', from: Date.parse(one.occurred_from), to: one.occurred_to ? Date.parse(one.occurred_to) : null,
    }))
    .sort((a, b) => a.from - b.from)
}
