// What the pages of vehicles ask of the API: their particulars, plates, seals, papers, maintenance, acts and files.
import { api, ask, type Schemas } from '@/api/client'
import { attachAt } from '@/api/upload'
import type { Page } from '@/composables/usePagedList'

export type Particulars = Schemas['VehicleParticularsShown']
export type Plates = Schemas['VehiclePlates']
export type Seal = Schemas['SealShown']
export type Paper = Schemas['VehiclePaper']
export type PaperView = Schemas['VehiclePaperView']
export type PaperKind = Schemas['VehiclePaperKind']
export type Kept = Schemas['VehicleDocument']
export type RepairRow = Schemas['MaintenanceRow']
export type RepairView = Schemas['MaintenanceView']
export type RepairState = Schemas['RepairState']
export type ActRow = Schemas['VehicleActRow']
export type ActView = Schemas['VehicleActView']
export type ActState = Schemas['ActState']
export type ActKind = Schemas['ActKind']

export const BODIES = ['car', 'medium_bus', 'large_bus', 'light_truck', 'heavy_truck', 'tractor_trailer', 'tricycle_motor', 'motorcycle'] as const satisfies readonly Schemas['Body'][]
export const MARKINGS = ['painted', 'missing', 'exempt'] as const
export const PAPER_KINDS = ['inspection', 'compulsory', 'commercial'] as const satisfies readonly PaperKind[]
export const REPAIR_STATES = ['reported', 'pending', 'approved', 'in_shop', 'more', 'done', 'accepted', 'cancelled'] as const satisfies readonly RepairState[]
export const ACT_STATES = ['asked', 'released', 'accepted', 'approved', 'done', 'refused', 'withdrawn'] as const satisfies readonly ActState[]
export const ACT_KINDS = ['transfer', 'disposal'] as const satisfies readonly ActKind[]
export const MODES = ['scrap', 'auction', 'buy_back', 'other'] as const
/** What a file at a vehicle may be said to be; those of papers and maintenance are attached there. */
export const GIVEN = ['registration', 'driving_permit', 'marking', 'purchase', 'disposal', 'other'] as const

const at = (id: string) => ({ params: { path: { id } } })

// --- what it is

export const particulars = (id: string): Promise<Particulars> => ask(api.GET('/v1/vehicles/{id}/particulars', at(id)))
export const enterParticulars = (id: string, body: Schemas['VehicleParticulars']): Promise<Particulars> => ask(api.PUT('/v1/vehicles/{id}/particulars', { ...at(id), body }))
export const plates = (id: string): Promise<Plates> => ask(api.GET('/v1/vehicles/{id}/plates', at(id)))
export const swapPlates = (id: string, body: Schemas['PlateSwap']): Promise<Plates> => ask(api.POST('/v1/vehicles/{id}:swap-plates', { ...at(id), body }))

// --- sealed

export const seals = async (id: string): Promise<Seal[]> => (await ask(api.GET('/v1/vehicles/{id}/seals', at(id)))).items
export const seal = (id: string, body: Schemas['SealBody']): Promise<unknown> => ask(api.POST('/v1/vehicles/{id}:seal', { ...at(id), body }))
export const unseal = (id: string): Promise<unknown> => ask(api.POST('/v1/vehicles/{id}:unseal', at(id)))
/** What a page knows of the server's clock may be behind by so much: a seal that has just been set holds, one that has just been lifted does not. */
const CLOCK_MS = 3_000
/** The seal that holds now, ``nowMs`` since 1970 as the page knows it. */
export const sealedNow = (all: readonly Seal[], nowMs: number): Seal | undefined =>
  all.find((one) => Date.parse(one.sealed_from) <= nowMs + CLOCK_MS && (one.sealed_to === null || Date.parse(one.sealed_to) > nowMs + CLOCK_MS))

// --- papers

export const papersOf = async (id: string): Promise<Paper[]> => (await ask(api.GET('/v1/vehicles/{id}/papers', at(id)))).items
export const enterPaper = (id: string, body: Schemas['VehiclePaperNew']): Promise<PaperView> => ask(api.POST('/v1/vehicles/{id}/papers', { ...at(id), body }))
export const paper = (id: string): Promise<PaperView> => ask(api.GET('/v1/vehicle-papers/{id}', at(id)))
export const voidPaper = (id: string, reason: string): Promise<unknown> => ask(api.POST('/v1/vehicle-papers/{id}:void', { ...at(id), body: { reason } }))
export interface PaperFilters {
  kind?: string
  organisation?: string
  from?: string
  to?: string
}
/** Those that nothing follows on, by the day on which they end. */
export const paperPage = (filters: PaperFilters, cursor: string | undefined, limit: number): Promise<Page<Paper>> =>
  ask(api.GET('/v1/vehicle-papers', {
    params: { query: { last: true, kind: filters.kind as PaperKind | undefined, organisation: filters.organisation, ends_from: filters.from, ends_before: filters.to, cursor, limit } },
  }))

// --- maintenance

export interface RepairFilters {
  state?: string
  organisation?: string
  vehicle?: string
}
/** ``state`` "open": neither accepted nor cancelled. */
export function repairPage(filters: RepairFilters, cursor: string | undefined, limit: number): Promise<Page<RepairRow>> {
  const state = filters.state === 'open' ? undefined : (filters.state as RepairState | undefined)
  return ask(api.GET('/v1/maintenance', { params: { query: { state, open: filters.state === 'open', organisation: filters.organisation, vehicle: filters.vehicle, cursor, limit } } }))
}
export const repair = (id: string): Promise<RepairView> => ask(api.GET('/v1/maintenance/{id}', at(id)))
export const report = (body: Schemas['MaintenanceNew']): Promise<RepairView> => ask(api.POST('/v1/maintenance', { body }))
/** The steps differ in their bodies alone; the approval stands for them in the types. */
export const stepRepair = (id: string, step: string, body: Record<string, unknown>): Promise<unknown> =>
  ask(api.POST(`/v1/maintenance/{id}:${step}` as '/v1/maintenance/{id}:approve', { ...at(id), body: body as Schemas['RepairStep'] }))

// --- transfer and disposal

export interface ActFilters {
  state?: string
  kind?: string
  organisation?: string
  vehicle?: string
}
export function actPage(filters: ActFilters, cursor: string | undefined, limit: number): Promise<Page<ActRow>> {
  const state = filters.state === 'open' ? undefined : (filters.state as ActState | undefined)
  return ask(api.GET('/v1/vehicle-acts', {
    params: { query: { state, open: filters.state === 'open', kind: filters.kind as ActKind | undefined, organisation: filters.organisation, vehicle: filters.vehicle, cursor, limit } },
  }))
}
export const act = (id: string): Promise<ActView> => ask(api.GET('/v1/vehicle-acts/{id}', at(id)))
export const askTransfer = (body: Schemas['TransferNew']): Promise<ActView> => ask(api.POST('/v1/vehicle-transfers', { body }))
export const askDisposal = (body: Schemas['DisposalNew']): Promise<ActView> => ask(api.POST('/v1/vehicle-disposals', { body }))
export const stepAct = (id: string, step: string, body: Record<string, unknown>): Promise<ActView> =>
  ask(api.POST(`/v1/vehicle-acts/{id}:${step}` as '/v1/vehicle-acts/{id}:release', { ...at(id), body: body as Schemas['ActCommand'] }))

// --- files

export const filesOf = async (id: string): Promise<Kept[]> => (await ask(api.GET('/v1/vehicles/{id}/documents', at(id)))).items
export const fileAt = (file: { id: string }): string => `/v1/vehicle-documents/${encodeURIComponent(file.id)}`
type Progress = (part: number) => void
export const attachToVehicle = (id: string, kind: string, file: File, progress: Progress): Promise<Kept> => attachAt(`/v1/vehicles/${encodeURIComponent(id)}/documents`, file, progress, { kind })
export const attachToPaper = (id: string, file: File, progress: Progress): Promise<Kept> => attachAt(`/v1/vehicle-papers/${encodeURIComponent(id)}/documents`, file, progress)
export const attachToRepair = (id: string, file: File, progress: Progress): Promise<Kept> => attachAt(`/v1/maintenance/${encodeURIComponent(id)}/documents`, file, progress)

// --- signs of states

type Sign = { kind: 'plain' | 'good' | 'care' | 'bad'; sign: string }
const WAITS: Sign = { kind: 'care', sign: '◇' }
const UNDER_WAY: Sign = { kind: 'plain', sign: '▶' }
const GOOD: Sign = { kind: 'good', sign: '✓' }
const GIVEN_UP: Sign = { kind: 'plain', sign: '✕' }
const REPAIR_SIGNS: Record<RepairState, Sign> = { reported: WAITS, pending: WAITS, approved: GOOD, in_shop: UNDER_WAY, more: WAITS, done: WAITS, accepted: GOOD, cancelled: GIVEN_UP }
const ACT_SIGNS: Record<ActState, Sign> = { asked: WAITS, released: WAITS, accepted: WAITS, approved: UNDER_WAY, done: GOOD, refused: { kind: 'bad', sign: '！' }, withdrawn: GIVEN_UP }
const STANDINGS: Record<Paper['standing'], Sign> = { valid: GOOD, ending: { kind: 'care', sign: '▲' }, ended: { kind: 'bad', sign: '！' }, future: { kind: 'plain', sign: '◇' }, void: GIVEN_UP }
export const repairSign = (state: RepairState): Sign => REPAIR_SIGNS[state]
export const actSign = (state: ActState): Sign => ACT_SIGNS[state]
export const standingSign = (standing: Paper['standing']): Sign => STANDINGS[standing]
