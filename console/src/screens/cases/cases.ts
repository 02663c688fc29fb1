// What the screens of cases ask of the API.
import { api, ask, type Schemas } from '@/api/client'
import { once } from '@/api/once'
import { problemOf } from '@/api/problem'
import { sortQuery, sortsOf, type Sort } from '@/components/table'
import type { Page } from '@/composables/usePagedList'
import { saveBlob } from '@/text/csv'

export type CaseRow = Schemas['CaseRow']
export type CaseView = Schemas['CaseView']
export type Contents = Schemas['CaseContents']
export type Proposal = Schemas['Proposal']
export type Step = Schemas['Step']
export type State = Schemas['State']
export type Colour = Schemas['Colour']

export const STATES = [
  'draft', 'submitted', 'issued', 'refused', 'working', 'extension_asked', 'replied', 'calling_back', 'redo', 'closed', 'cancelled',
] as const
/** What people speak of: how near the end of the unit's term is. */
export const COLOURS = ['red', 'yellow', 'green', 'grey'] as const
export const SOURCES = ['alert', 'hotline', 'commission', 'spot_check', 'joint', 'late_paper', 'sealed'] as const
export const FINDINGS = ['violation', 'irregular', 'justified', 'data', 'unverifiable'] as const
export const PROPOSALS = ['cancel', 'reopen'] as const
export const FILTERS = ['state', 'colour', 'source', 'finding', 'proposal', 'organisation', 'plate', 'due_from', 'due_to', 'sort'] as const
/** What the list can be ordered by, and its order where nothing is chosen. */
export type Order = 'created' | 'due' | 'number'
export const USUAL: Sort & { by: Order } = { by: 'created', direction: 'desc' }
export const SORTS = sortsOf(['created', 'due', 'number'] satisfies Order[])
export type CaseFilters = Partial<Record<(typeof FILTERS)[number], string>>

/** The columns of the board: what stands side by side there is with the same people. */
export const BOARD: ReadonlyArray<{ name: string; states: readonly State[] }> = [
  { name: 'draft', states: ['draft'] },
  { name: 'submitted', states: ['submitted'] },
  { name: 'issued', states: ['issued', 'refused'] },
  { name: 'working', states: ['working', 'extension_asked', 'redo'] },
  { name: 'replied', states: ['replied', 'calling_back'] },
  { name: 'closed', states: ['closed'] },
]

export const COLOUR_SIGNS: Record<Colour, { kind: 'plain' | 'good' | 'care' | 'bad'; sign: string }> = {
  red: { kind: 'bad', sign: '！' },
  yellow: { kind: 'care', sign: '◔' },
  green: { kind: 'good', sign: '✓' },
  grey: { kind: 'plain', sign: '？' },
  none: { kind: 'plain', sign: '' },
}
const CARE: readonly State[] = ['submitted', 'refused', 'extension_asked', 'replied', 'calling_back']
/** States in which the office has to act are marked. */
export function stateSign(state: State): { kind: 'plain' | 'good' | 'care'; sign: string } {
  if (state === 'closed') return { kind: 'good', sign: '✓' }
  if (state === 'cancelled') return { kind: 'plain', sign: '✕' }
  return CARE.includes(state) ? { kind: 'care', sign: '◇' } : { kind: 'plain', sign: '▸' }
}

/** The vehicle that has, or had, a plate; undefined: none. */
export async function vehicleOf(plate: string): Promise<{ id: string; organisation: string } | undefined> {
  const found = await ask(api.GET('/v1/vehicles', { params: { query: { plate, limit: 1 } } }))
  return found.items[0]
}

/** One page of the list. Throws ApiProblem. */
export async function casePage(filters: CaseFilters, cursor: string | undefined, limit: number): Promise<Page<CaseRow>> {
  const { plate, sort, ...others } = filters
  const vehicle = plate ? (await vehicleOf(plate))?.id : undefined
  if (plate && vehicle === undefined) return { items: [], next: null }
  // The values of the address were looked at by useAddressFilters.
  return ask(api.GET('/v1/cases', { params: { query: { ...(others as object), ...sortQuery<Order>(sort), vehicle, cursor, limit } } }))
}

export const caseCounts = (filters: CaseFilters) =>
  ask(api.GET('/v1/cases/counts', { params: { query: { organisation: filters.organisation, source: filters.source as Schemas['Source'] | undefined } } }))

export const readCase = (id: string): Promise<CaseView> => ask(api.GET('/v1/cases/{id}', { params: { path: { id } } }))

/** Take a step; ``body`` as steps.ts makes it. */
export function takeStep(id: string, step: Step, body: Record<string, unknown>): Promise<Schemas['StepTaken']> {
  const path = `/v1/cases/{id}:${step}` as '/v1/cases/{id}:note'
  return ask(api.POST(path, { params: { path: { id } }, body: body as Schemas['CaseNote'] }))
}

export const draftCase = (contents: Contents): Promise<CaseView> =>
  once('cases', contents, (key) => ask(api.POST('/v1/cases', { params: { header: { 'Idempotency-Key': key } }, body: contents })))

export const proposals = (from: string, to: string, organisation: string | undefined) =>
  ask(api.GET('/v1/cases/proposals', { params: { query: { from, to, organisation } } }))

export const spotCheck = (asked: Schemas['SpotCheck']) => ask(api.POST('/v1/cases:spot-check', { body: asked }))

export const readAlert = (id: string) => ask(api.GET('/v1/alerts/{id}', { params: { path: { id } } }))

/** Where a paper of the case is. */
export const paperOf = (id: string, kind: string): string => `/v1/cases/${encodeURIComponent(id)}/documents/${encodeURIComponent(kind)}`

/** Have the bundle saved by the browser. Throws ApiProblem: a link would show nothing of a refusal. */
export async function saveBundle(id: string, number: string, purpose: string): Promise<void> {
  const { data, error, response } = await api.GET('/v1/cases/{id}/bundle', { params: { path: { id }, query: { purpose } }, parseAs: 'blob' })
  if (!response.ok) throw problemOf(response, error)
  saveBlob(data as unknown as Blob, `${number}.zip`)
}
