// What the pages of statements ask of the API, and the steps of a statement: each with the fields of its form. Who may take them the server says.
import { api, ask, type Schemas } from '@/api/client'
import type { DialogField } from '@/components/dialogField'
import type { Page } from '@/composables/usePagedList'
import { fenOf } from '@/text/amounts'

export type StatementRow = Schemas['StatementRow']
export type StatementView = Schemas['StatementView']
export type StatementLine = Schemas['StatementLine']
export type StatementState = Schemas['StatementState']
export type StatementStep = Schemas['StatementStep']
export type TripCost = Schemas['TripCost']
export type Facts = Schemas['TripFactsEntry']

export const STATES = ['to_confirm', 'confirmed', 'paid', 'received', 'void'] as const
export const FILTERS = ['state', 'period', 'organisation', 'platform'] as const
export type StatementFilters = Partial<Record<(typeof FILTERS)[number], string>>

/** A state by sign and colour. */
export function stateSign(state: StatementState): { kind: 'plain' | 'good' | 'care' | 'bad'; sign: string } {
  if (state === 'to_confirm') return { kind: 'care', sign: '◇' }
  if (state === 'received') return { kind: 'good', sign: '✓' }
  return { kind: 'plain', sign: state === 'void' ? '✕' : '▸' }
}

export const statementPage = (filters: StatementFilters, cursor: string | undefined, limit: number): Promise<Page<StatementRow>> =>
  // The values of the address were looked at by useAddressFilters.
  ask(api.GET('/v1/statements', { params: { query: { ...filters, state: filters.state as StatementState | undefined, cursor, limit } } }))
export const readStatement = (id: string): Promise<StatementView> => ask(api.GET('/v1/statements/{id}', { params: { path: { id } } }))
export const linePage = (id: string, cursor: string | undefined, limit: number): Promise<Page<StatementLine>> =>
  ask(api.GET('/v1/statements/{id}/lines', { params: { path: { id }, query: { cursor, limit } } }))
export const draw = (platform: string, period: string, organisation: string | null): Promise<Schemas['StatementsDrawn']> =>
  ask(api.POST('/v1/statements', { body: { platform, period, organisation } }))
export const tariffsOf = async (organisation: string): Promise<Schemas['TariffView'][]> => (await ask(api.GET('/v1/tariffs', { params: { query: { organisation } } }))).items
/** Each step has an operation of its own; what they take and answer differs only in the body. */
export const takeStep = (id: string, step: StatementStep, body: Record<string, unknown>): Promise<StatementView> =>
  ask(api.POST(`/v1/statements/{id}:${step}` as '/v1/statements/{id}:object', { params: { path: { id } }, body: body as Schemas['StatementReason'] }))
export const paperOf = (id: string): string => `/v1/statements/${encodeURIComponent(id)}/document`

export const readTrip = (id: string): Promise<TripCost> => ask(api.GET('/v1/trip-costs/{id}', { params: { path: { id } } }))
export const saveFacts = (id: string, body: Facts): Promise<TripCost> => ask(api.PUT('/v1/trip-costs/{id}', { params: { path: { id } }, body }))

/** ``sure``: asked once more, with the sum. ``line``: taken at a line of the statement. */
interface StepForm {
  fields: readonly { name: 'reason' | 'reference' | 'amount'; required?: boolean }[]
  kind?: 'primary' | 'danger'
  sure?: boolean
  line?: boolean
}
const reason = { name: 'reason', required: true } as const
export const STEPS: Partial<Record<StatementStep, StepForm>> = {
  confirm: { fields: [], kind: 'primary', sure: true },
  object: { fields: [reason] },
  answer: { fields: [reason], kind: 'primary' },
  correct: { fields: [{ name: 'amount' }, reason], line: true },
  'confirm-silent': { fields: [], sure: true },
  pay: { fields: [{ name: 'reference', required: true }], kind: 'primary' },
  receive: { fields: [], kind: 'primary', sure: true },
  void: { fields: [reason], kind: 'danger' },
}

export const stepFields = (step: StatementStep, say: (name: string) => { label: string; hint: string }): DialogField[] =>
  (STEPS[step]?.fields ?? []).map((field) => ({ name: field.name, ...say(field.name), type: field.name === 'reason' ? 'long' : 'text', required: field.required ?? false, leftOut: true }))

/** What is sent; null: the amount cannot be read. */
export function stepBody(step: StatementStep, typed: Record<string, unknown>, version: number, line: number | null): Record<string, unknown> | null {
  const body: Record<string, unknown> = { version }
  if (STEPS[step]?.line && line !== null) body.line = line
  for (const { name } of STEPS[step]?.fields ?? []) {
    const value = typed[name]
    if (typeof value !== 'string' || value === '') continue
    if (name !== 'amount') body[name] = value
    else {
      const fen = fenOf(value)
      if (fen === null || fen < 0) return null
      body.amount_fen = fen
    }
  }
  return body
}

/** Whether a line can still be corrected: not a reversal, and none has taken its place among those that are known. */
export const correctable = (line: StatementLine, known: readonly StatementLine[]): boolean => line.kind !== 'reversal' && !known.some((other) => other.corrects === line.no)
