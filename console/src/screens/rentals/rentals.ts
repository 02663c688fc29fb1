// What the screen of rentals asks of the API, what may be done in which state, and what each step asks for.
import { api, ask, type Schemas } from '@/api/client'
import type { Permission } from '@/app/permissions'
import type { DialogField } from '@/components/dialogField'
import type { MayStep } from '@/components/steps'
import type { Page } from '@/composables/usePagedList'

export type RentalRow = Schemas['RentalRow']
export type RentalView = Schemas['RentalView']
export type RentalState = Schemas['RentalState']
export type Proof = Schemas['RentalProof']

export const STATES = ['reported', 'approved', 'taken', 'settled', 'refused', 'withdrawn'] as const satisfies readonly RentalState[]

export interface RentalFilters {
  state?: string
  organisation?: string
  request?: string
}
export const rentalPage = (filters: RentalFilters, cursor: string | undefined, limit: number): Promise<Page<RentalRow>> =>
  ask(api.GET('/v1/rental-reports', { params: { query: { state: filters.state as RentalState | undefined, organisation: filters.organisation, trip_request: filters.request, cursor, limit } } }))
const at = (id: string) => ({ params: { path: { id } } })
export const rental = (id: string): Promise<RentalView> => ask(api.GET('/v1/rental-reports/{id}', at(id)))
export const reportRental = (body: Schemas['RentalNew']): Promise<RentalView> => ask(api.POST('/v1/rental-reports', { body }))
export const stepRental = (id: string, step: string, body: Record<string, unknown>): Promise<RentalView> =>
  ask(api.POST(`/v1/rental-reports/{id}:${step}` as '/v1/rental-reports/{id}:approve', { ...at(id), body: body as Schemas['RentalCommand'] }))

/** As the API's table: the states in which a step is taken, and the right that it needs. By whose unit the server says. */
const TABLE: readonly { step: string; from: readonly RentalState[]; permission: Permission }[] = [
  { step: 'approve', from: ['reported'], permission: 'rentals:approve' }, { step: 'refuse', from: ['reported'], permission: 'rentals:approve' }, { step: 'take', from: ['approved'], permission: 'registry:write' },
  { step: 'settle', from: ['taken'], permission: 'costs:write' }, { step: 'withdraw', from: ['reported', 'approved'], permission: 'trips:dispatch' },
]
export const STEPS = TABLE.map((row) => row.step)
export const rentalSteps = (state: RentalState, can: (permission: Permission) => boolean): MayStep[] =>
  TABLE.filter((row) => row.from.includes(state) && can(row.permission)).map((row) => ({ step: row.step, refused: null }))

const SIGNS = {
  reported: { kind: 'care', sign: '◇' }, approved: { kind: 'good', sign: '✓' }, taken: { kind: 'plain', sign: '▶' }, settled: { kind: 'good', sign: '■' }, refused: { kind: 'bad', sign: '！' }, withdrawn: { kind: 'plain', sign: '✕' },
} as const
export const rentalSign = (state: RentalState): (typeof SIGNS)[RentalState] => SIGNS[state]

type Say = (key: string) => string
const field = (t: Say, name: string, more: Partial<DialogField> = {}): DialogField => ({ name, label: t(`rentals.field.${name}`), required: true, ...more })
export function stepFields(t: Say, step: string): DialogField[] {
  switch (step) {
    case 'approve': return []
    case 'take': return [field(t, 'plate', { type: 'plate' }), field(t, 'seats', { type: 'whole' }), field(t, 'driver'), field(t, 'insured_fen', { type: 'money', hint: t('rentals.hint.insured_fen') })]
    case 'settle':
      return [
        field(t, 'amount_fen', { type: 'money', hint: t('rentals.hint.amount_fen') }), field(t, 'driven_m', { type: 'thousandths' }), field(t, 'occurred_on', { type: 'day', hint: t('rentals.hint.occurred_on') }),
        field(t, 'invoice_no'), field(t, 'invoice_code', { required: false, leftOut: true, hint: t('rentals.hint.invoice_code') }),
      ]
    default: return [field(t, 'reason', { type: 'long', hint: t('steps.fiveLeast') })]
  }
}
/** Of a new report; whether an own vehicle can serve is not asked. */
export const newFields = (t: Say): DialogField[] => [
  field(t, 'supplier'), field(t, 'contract'), field(t, 'vehicle_class', { hint: t('rentals.hint.vehicle_class') }), field(t, 'seats', { type: 'whole' }), field(t, 'reason', { type: 'long', label: t('rentals.why'), hint: t('rentals.hint.reason') }),
  field(t, 'ceiling_fen', { type: 'money', hint: t('rentals.hint.ceiling_fen') }),
]
