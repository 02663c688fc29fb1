// What the registry asks of the API: the same addresses for every kind.
import { api, ask, askTagged, seenHeaders, type Schemas } from '@/api/client'
import { ApiProblem } from '@/api/problem'
import { sortQuery } from '@/components/table'
import type { Page } from '@/composables/usePagedList'
import { addDays, startOf } from '@/text/time'

import type { KindName, KindTable } from './kind'

/** A record of any kind, as it is read. */
export type Row = Record<string, unknown> & { id: string }
export interface Doubt { message: string; pointer?: string | null }

// All kinds have the same operations; vehicles stand for them in the types.
const listAt = (kind: KindName) => `/v1/${kind}` as '/v1/vehicles'
const oneAt = (kind: KindName) => `/v1/${kind}/{id}` as '/v1/vehicles/{id}'

export async function listPage(
  kind: KindTable, filters: Partial<Record<string, string>>, cursor: string | undefined, limit: number, purpose?: string,
): Promise<Page<Row>> {
  const query: Record<string, string | number | undefined> = { cursor, limit, purpose: kind.personal ? purpose : undefined, ...sortQuery(filters.sort) }
  if (kind.tree) query[kind.tree] = filters[kind.tree]
  for (const filter of kind.filters) {
    const value = filters[filter.name]
    if (value && filter.moment === 'start') query[filter.name] = startOf(value)
    else if (value && filter.moment === 'end') query[filter.name] = startOf(addDays(value, 1))
    else query[filter.name] = value
  }
  const found = await ask(api.GET(listAt(kind.name), { params: { query: query as { limit?: number } } }))
  return found as unknown as Page<Row>
}

export async function oneRecord(kind: KindTable, id: string, purpose?: string): Promise<Row> {
  const query = kind.personal && purpose ? { purpose } : {}
  return (await ask(api.GET(oneAt(kind.name), { params: { path: { id }, query: query as never } }))) as unknown as Row
}

/** The record, with the ETag that whoever changes it sends back. */
export async function recordToChange(kind: KindTable, id: string, purpose?: string): Promise<{ row: Row; tag: string | null }> {
  const query = kind.personal && purpose ? { purpose } : {}
  const { data, tag } = await askTagged(api.GET(oneAt(kind.name), { params: { path: { id }, query: query as never } }))
  return { row: data as unknown as Row, tag }
}

/** Written, where it is still as it was seen (null: a new record); the doubts that the registry has of it. */
export async function put(kind: KindTable, id: string, body: Record<string, unknown>, seen: string | null): Promise<{ doubts: Doubt[]; row: Row; tag: string | null }> {
  const { data, tag } = await askTagged(api.PUT(oneAt(kind.name), { params: { path: { id } }, body: body as unknown as Schemas['VehicleBody'], headers: seenHeaders(seen) }))
  return { doubts: (data as { warnings?: Doubt[] | null }).warnings ?? [], row: data as unknown as Row, tag }
}

export async function remove(kind: KindTable, id: string): Promise<void> {
  await ask(api.DELETE(oneAt(kind.name) as '/v1/calendar-days/{id}', { params: { path: { id } } }))
}

/** The id of the vehicle that has a plate; undefined: none. */
export async function vehicleOfPlate(plate: string): Promise<string | undefined> {
  return (await ask(api.GET('/v1/vehicles', { params: { query: { plate, limit: 1 } } }))).items[0]?.id
}

export const versionsOf = async (id: string): Promise<Row[]> =>
  (await ask(api.GET('/v1/dispatch-orders/{id}/versions', { params: { path: { id } } }))).items as unknown as Row[]

/** null: nothing is known of its trip yet. */
export async function resultOf(id: string): Promise<Schemas['TripResult'] | null> {
  try {
    return await ask(api.GET('/v1/dispatch-orders/{id}/result', { params: { path: { id } } }))
  } catch (error) {
    if (error instanceof ApiProblem && error.status === 404) return null
    throw error
  }
}

export const noticesOf = async (terminal: string): Promise<Schemas['TerminalNotice'][]> =>
  (await ask(api.GET('/v1/terminal-notices', { params: { query: { terminal, settled: true, limit: 100 } } }))).items

export const acceptDevice = (terminal: string, device: string): Promise<unknown> =>
  ask(api.POST('/v1/terminals/{id}:accept-device', { params: { path: { id: terminal }, query: { device_id: device } } }))

/** Enters what the notice of the terminal proposes. */
export const acceptCorrection = (terminal: string, kind: 'clock_wrong' | 'datum_wrong'): Promise<unknown> =>
  ask(api.POST('/v1/terminals/{id}:accept-correction', { params: { path: { id: terminal }, query: { kind } } }))

export const alertsOf = async (vehicle: string): Promise<Schemas['AlertBody'][]> =>
  (await ask(api.GET('/v1/alerts', { params: { query: { vehicle, limit: 8 } } }))).items
