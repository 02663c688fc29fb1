// The steps of requests and dispatches that people take, each with the fields of its form. Which of them somebody may take the server says. Pure.
import { parseAhead } from '@/text/ahead'

import { metresOf, type Step } from './trips'

export type FieldKind = 'text' | 'long' | 'moment' | 'km' | 'ahead' | 'rating' | 'why' | 'vehicle' | 'driver'
export interface StepField {
  name: string
  kind: FieldKind
  required?: boolean
  hint?: boolean
}
export interface StepForm {
  fields: readonly StepField[]
  kind?: 'primary' | 'danger'
  /** Of no weight: stands after the others. */
  aside?: boolean
  /** A place is asked for as well (变更). */
  stop?: boolean
}

const reason: StepField = { name: 'reason', kind: 'long', required: true, hint: true }
const measured: readonly StepField[] = [{ name: 'odometer_m', kind: 'km', hint: true }, { name: 'without_odometer', kind: 'text', hint: true }, { name: 'at', kind: 'moment', hint: true }]

/** ``edit`` and ``assign`` have pages and places of their own. */
export const STEPS: Partial<Record<Step, StepForm>> = {
  submit: { fields: [], kind: 'primary' },
  approve: { fields: [], kind: 'primary' },
  reject: { fields: [reason] },
  withdraw: { fields: [reason] },
  queue: { fields: [], kind: 'primary' },
  'no-vehicle': { fields: [reason] },
  confirm: { fields: [{ name: 'rating', kind: 'rating', required: true }, { name: 'note', kind: 'long' }], kind: 'primary' },
  dispute: { fields: [reason] },
  answer: { fields: [reason], kind: 'primary' },
  accept: { fields: [], kind: 'primary' },
  depart: { fields: measured, kind: 'primary' },
  return: { fields: [...measured, { name: 'reason', kind: 'text', hint: true }], kind: 'primary' },
  resume: { fields: [], kind: 'primary' },
  suspend: { fields: [{ name: 'why', kind: 'why', required: true }, reason] },
  change: { fields: [{ name: 'extended_return', kind: 'ahead', hint: true }, reason], stop: true },
  'approve-change': { fields: [], kind: 'primary' },
  'reject-change': { fields: [reason] },
  keep: { fields: [reason] },
  reassign: { fields: [{ name: 'vehicle', kind: 'vehicle' }, { name: 'driver', kind: 'driver' }, reason] },
  'ask-reassign': { fields: [reason] },
  cancel: { fields: [reason], kind: 'danger', aside: true },
  note: { fields: [{ name: 'text', kind: 'long', required: true }], aside: true },
}

export type StepFlaw = 'noKm' | 'noTime' | 'oneOf'
/** What is sent: nothing empty, kilometres as metres, planned times as moments; and what cannot be read, at its field. */
export function stepBody(step: Step, typed: Record<string, unknown>, version: number, now: number): { body: Record<string, unknown>; flaws: Record<string, StepFlaw> } {
  const [body, flaws]: [Record<string, unknown>, Record<string, StepFlaw>] = [{ version }, {}]
  for (const field of STEPS[step]?.fields ?? []) {
    const value = typed[field.name]
    if (value === null || value === undefined || value === '') continue
    if (field.kind === 'km') {
      const metres = metresOf(String(value))
      if (metres === null) flaws[field.name] = 'noKm'
      else body[field.name] = metres
    } else if (field.kind === 'ahead') {
      const at = parseAhead(String(value), now)
      if (at === null) flaws[field.name] = 'noTime'
      else body[field.name] = at
    } else body[field.name] = field.kind === 'rating' ? Number(value) : value
  }
  if ((step === 'depart' || step === 'return') && !flaws.odometer_m && body.odometer_m === undefined && body.without_odometer === undefined) flaws.odometer_m = 'oneOf'
  return { body, flaws }
}
