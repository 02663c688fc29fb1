// What the screens of fences ask of the API.
import { api, ask, askTagged, seenHeaders, type Schemas } from '@/api/client'
import type { Page } from '@/composables/usePagedList'
import { lastMonth } from '@/screens/parameters/parameters'

export type Fence = Schemas['ListedFence']
export type FenceBody = Schemas['FenceBody']
export type Datum = Fence['datum']
export const DATUMS: Readonly<Record<Datum, string>> = { wgs84: 'WGS-84', gcj02: 'GCJ-02', bd09: 'BD-09' }
/** The coordinates of the region, where a map begins that has nothing to show. */
export const START = { west: 120.2, south: 31.6, east: 121.9, north: 32.7 }

const at = (id: string) => ({ params: { path: { id } } })
export const fencePage = (asked: { organisation?: string | undefined; vehicle?: string | undefined }, cursor: string | undefined, limit: number): Promise<Page<Fence>> =>
  ask(api.GET('/v1/fences', { params: { query: { ...asked, cursor, limit } } }))
export const fence = (id: string): Promise<Fence> => ask(api.GET('/v1/fences/{id}', at(id)))
export const versions = async (id: string): Promise<Fence[]> => (await ask(api.GET('/v1/fences/{id}/versions', at(id)))).items
/** The fence, with the ETag that whoever changes it sends back. */
export const fenceToChange = (id: string) => askTagged(api.GET('/v1/fences/{id}', at(id)))
/** Written, where it is still as it was seen (null: a new one). */
export const put = (id: string, body: FenceBody, seen: string | null) => askTagged(api.PUT('/v1/fences/{id}', { ...at(id), body, headers: seenHeaders(seen) }))
export const end = (id: string): Promise<unknown> => ask(api.DELETE('/v1/fences/{id}', at(id)))

/** A backtest of the fence as it is proposed, over the month before. */
export async function tryFence(id: string, body: FenceBody, today: string): Promise<number> {
  const proposed = { id, ...body, vehicles: body.vehicles ?? [] }
  const month = lastMonth(today)
  return (await ask(api.POST('/v1/backtests', { body: { rule: 'location', parameters: {}, organisation: null, fence: proposed, examples: 50, ...month } }))).no
}

export type InTerminals = Schemas['FenceInTerminals']
export type AreaState = Schemas['AreaOfTerminal']['state']
export const terminalsOf = (id: string): Promise<InTerminals> => ask(api.GET('/v1/fences/{id}/terminals', { params: { path: { id }, query: {} } }))
export const sendDown = (id: string): Promise<InTerminals> => ask(api.POST('/v1/fences/{id}:send-down', at(id)))
export const callBack = (id: string): Promise<InTerminals> => ask(api.POST('/v1/fences/{id}:recall', at(id)))

/** Whether a version holds at a moment. */
export function stateOf(one: Pick<Fence, 'valid_from' | 'valid_to'>, now: number): 'later' | 'holds' | 'over' {
  if (one.valid_to !== null && Date.parse(one.valid_to) <= now) return 'over'
  return Date.parse(one.valid_from) > now ? 'later' : 'holds'
}
