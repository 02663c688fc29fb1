// What the forms of these pages ask for: by their names in the API, so that a refusal stands at its field.
import type { DialogField } from '@/components/dialogField'

import { ACT_KINDS, BODIES, GIVEN, MARKINGS, MODES, PAPER_KINDS, type ActKind } from './vehicles'

type Say = (key: string, named?: Record<string, unknown>) => string
type More = Partial<Omit<DialogField, 'name' | 'label'>>

const field = (t: Say, name: string, type?: DialogField['type'], more: More = {}): DialogField => ({ name, label: t(`vehicles.field.${name}`), ...(type ? { type } : {}), ...more })
const options = (t: Say, names: readonly string[], of: string): { value: string; label: string }[] => names.map((value) => ({ value, label: t(`vehicles.${of}.${value}`) }))
const reason = (t: Say): DialogField => ({ name: 'reason', label: t('vehicles.reason'), type: 'long', required: true, hint: t('steps.fiveLeast') })
const hinted = (t: Say, name: string): More => ({ hint: t(`vehicles.hint.${name}`) })

/** Of a step that needs a reason only; "必填". */
export const reasonField = (t: Say): DialogField[] => [reason(t)]

export const particularFields = (t: Say): DialogField[] => [
  field(t, 'vin', 'text', hinted(t, 'vin')), field(t, 'correction', 'text', { ...hinted(t, 'correction'), leftOut: true }), field(t, 'vin_note', 'text', { ...hinted(t, 'vin_note') }), field(t, 'make_model'),
  field(t, 'body', 'choice', { options: options(t, BODIES, 'body') }), field(t, 'automatic', 'flag'), field(t, 'seats', 'whole', hinted(t, 'seats')), field(t, 'displacement_ml', 'thousandths', hinted(t, 'displacement_ml')), field(t, 'power_w', 'thousandths'),
  field(t, 'engine_no'), field(t, 'colour'), field(t, 'price_fen', 'money'), field(t, 'bought_on', 'day', hinted(t, 'bought_on')), field(t, 'fund'), field(t, 'asset_no'),
  field(t, 'marking', 'choice', { options: options(t, MARKINGS, 'marking') }), field(t, 'marking_reason', 'text', hinted(t, 'marking_reason')),
]
/** Texts that the API wants as "" where nothing is known. */
const TEXTS = ['engine_no', 'make_model', 'colour', 'fund', 'asset_no', 'marking', 'marking_reason']
export const particularsBody = (body: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(body).map(([name, value]) => [name, value === null && TEXTS.includes(name) ? '' : value]))

export const swapFields = (t: Say): DialogField[] => [
  { name: 'other', label: t('vehicles.other'), type: 'plate', required: true, hint: t('vehicles.hint.other') },
  { name: 'cards', label: t('vehicles.cards'), type: 'choice', options: options(t, ['with_plates', 'with_vehicles'], 'cardsWith'), hint: t('vehicles.cardsHint') }, reason(t),
]
export const sealFields = (t: Say): DialogField[] => [
  { name: 'sealed_from', label: t('vehicles.sealFrom'), type: 'moment', hint: t('vehicles.sealFromHint') }, { name: 'sealed_to', label: t('vehicles.sealTo'), type: 'moment', hint: t('vehicles.sealToHint') },
  { name: 'reason', label: t('vehicles.reason'), type: 'long', required: true },
]
export const paperFields = (t: Say): DialogField[] => [
  { name: 'kind', label: t('vehicles.kind'), type: 'choice', required: true, options: options(t, PAPER_KINDS, 'paperKind') }, { name: 'number', label: t('vehicles.paperNumber'), required: true },
  { name: 'valid_from', label: t('vehicles.validFrom'), type: 'day', required: true, hint: t('vehicles.hint.bought_on') }, { name: 'valid_to', label: t('vehicles.validTo'), type: 'day', required: true, hint: t('vehicles.hint.bought_on') },
  { name: 'issuer', label: t('vehicles.issuer'), leftOut: true }, { name: 'amount_fen', label: t('vehicles.amount'), type: 'money' }, { name: 'note', label: t('vehicles.note'), leftOut: true },
]
export const reportFields = (t: Say): DialogField[] => [
  field(t, 'fault', 'long', { required: true }), field(t, 'odometer_m', 'thousandths', { required: true }), field(t, 'odometer_replaced', 'text', hinted(t, 'odometer_replaced')),
]
export const actFields = (t: Say, kind: ActKind): DialogField[] =>
  kind === ACT_KINDS[0]
    ? [field(t, 'to', 'unit', { required: true, others: true, ...hinted(t, 'to') }), reason(t)]
    : [field(t, 'mode', 'choice', { required: true, options: options(t, MODES, 'mode') }), reason(t), field(t, 'assessed_fen', 'money'), field(t, 'assessment', 'text', { leftOut: true })]

/** Of a step of a maintenance; ``shops``: those that have quoted. The lines of a bill are no field. */
export function repairFields(t: Say, step: string, shops: readonly string[]): DialogField[] {
  switch (step) {
    case 'quote': return [field(t, 'shop', 'text', { required: true })]
    case 'submit': return [field(t, 'shop', 'choice', { required: true, options: shops.map((value) => ({ value, label: value })) }), { ...reason(t), required: false, hint: t('vehicles.hint.submit'), leftOut: true }]
    case 'start': return [field(t, 'at', 'moment', { ...hinted(t, 'at'), leftOut: true })]
    case 'ask-more': return [field(t, 'total_fen', 'money', { required: true, ...hinted(t, 'more') }), reason(t)]
    case 'finish': return [field(t, 'at', 'moment', { ...hinted(t, 'at'), leftOut: true }), field(t, 'invoice', 'text', { leftOut: true }), field(t, 'warranty_until', 'day', { ...hinted(t, 'warranty_until'), leftOut: true })]
    case 'note': return [field(t, 'text', 'long', { required: true })]
    case 'approve': case 'grant': case 'accept': return []
    default: return [reason(t)]
  }
}

/** Of a step of a transfer or a disposal. */
export function actStepFields(t: Say, step: string, kind: ActKind): DialogField[] {
  switch (step) {
    case 'approve': return [field(t, 'paper_no', 'text', { required: true }), ...(kind === 'transfer' ? [field(t, 'effective_on', 'day', { ...hinted(t, 'effective_on'), leftOut: true })] : [])]
    case 'hand-over': return [field(t, 'odometer_m', 'thousandths', { required: true }), { name: 'note', label: t('vehicles.note'), leftOut: true }]
    case 'complete':
      return [
        field(t, 'deregistration', 'text', { required: true }), field(t, 'deregistered_on', 'day', { required: true, ...hinted(t, 'bought_on') }), field(t, 'proceeds_fen', 'money', { ...hinted(t, 'proceeds_fen'), leftOut: true }),
        field(t, 'receipt', 'text', { ...hinted(t, 'receipt'), leftOut: true }), field(t, 'buyer', 'text', { leftOut: true }),
      ]
    case 'release': case 'accept': return []
    default: return [reason(t)]
  }
}

export const fileKinds = (t: Say): { value: string; label: string }[] => options(t, GIVEN, 'fileKind')
