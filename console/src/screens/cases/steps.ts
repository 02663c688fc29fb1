// The steps of a case that people take, each with the fields of its form. Which of them somebody may take the server says; here is
// only what is asked for. Pure.
import type { Schemas } from '@/api/client'

import { FINDINGS } from './cases'

export type Step = Schemas['Step']
export type State = Schemas['State']
export type Value = string | string[] | boolean | undefined
export type Values = Record<string, Value>

export const CAUSES = ['fence', 'station', 'terminal', 'paperwork', 'feed'] as const
export const CHECKS = ['ledger', 'track', 'card', 'talk', 'site'] as const
export const EXPLANATIONS = ['yard', 'wash', 'repair', 'inspection', 'detour', 'change_not_entered', 'drift'] as const
export const RESULTS = ['satisfied', 'dissatisfied', 'not_reached'] as const

export interface Field {
  name: string
  kind: 'line' | 'text' | 'day' | 'choice' | 'choices' | 'unit' | 'flag'
  needed?: boolean
  /** The shortest text that says something; the server asks for the same. */
  least?: number
  options?: readonly string[]
  /** Where the names of the options are: ``t('<group>.<option>')``. */
  group?: string
  /** Only then it is asked for, and sent. */
  when?: (values: Values, state: State) => boolean
}

export interface StepForm {
  fields: Field[]
  /** Cannot be taken back: asked once more. */
  final?: boolean
  kind?: 'primary' | 'danger'
  /** Of no weight for the case: stands after the others. */
  aside?: boolean
}

const reason: Field = { name: 'reason', kind: 'text', needed: true, least: 5 }
const note: Field = { name: 'note', kind: 'text' }
const grave = (values: Values): boolean => values.finding === 'violation' || values.finding === 'irregular'
const ofData = (values: Values): boolean => values.finding === 'data'
const refused = (_values: Values, state: State): boolean => state === 'refused'
const asked = (_values: Values, state: State): boolean => state === 'extension_asked'

/** ``edit`` and ``attach`` have pages and places of their own. */
export const STEPS: Partial<Record<Step, StepForm>> = {
  submit: { fields: [note], kind: 'primary' },
  return: { fields: [reason] },
  issue: { fields: [note], kind: 'primary', final: true },
  sign: { fields: [note], kind: 'primary' },
  refuse: { fields: [reason] },
  reply: {
    kind: 'primary',
    fields: [
      { name: 'checked', kind: 'choices', needed: true, options: CHECKS, group: 'cases.check' },
      { name: 'text', kind: 'text', needed: true },
      { name: 'explanations', kind: 'choices', options: EXPLANATIONS, group: 'cases.explanation' },
      { name: 'cause', kind: 'text' },
      { name: 'measures', kind: 'text' },
    ],
  },
  'sign-reply': { fields: [note], kind: 'primary', final: true },
  'ask-extension': { fields: [{ name: 'due_on', kind: 'day', needed: true }, reason] },
  grant: {
    kind: 'primary',
    fields: [
      { name: 'organisation', kind: 'unit', needed: true, when: refused },
      { name: 'due_on', kind: 'day', when: asked },
      { name: 'reason', kind: 'text' },
    ],
  },
  deny: { fields: [reason] },
  close: {
    kind: 'primary',
    final: true,
    fields: [
      { name: 'finding', kind: 'choice', needed: true, options: FINDINGS, group: 'finding' },
      { name: 'evidence', kind: 'text', needed: true },
      { name: 'responsibility', kind: 'text', needed: true, when: grave },
      { name: 'measures', kind: 'text', needed: true, when: grave },
      { name: 'measures_due', kind: 'day', needed: true, when: grave },
      { name: 'cause', kind: 'choice', needed: true, options: CAUSES, group: 'cases.dataCause', when: ofData },
      { name: 'subject', kind: 'line', when: ofData },
    ],
  },
  redo: { fields: [reason] },
  recheck: { fields: [reason] },
  'called-back': {
    kind: 'primary',
    fields: [{ name: 'result', kind: 'choice', needed: true, options: RESULTS, group: 'cases.callResult' }, note],
  },
  reopen: { fields: [reason, { name: 'due_on', kind: 'day' }] },
  stands: { fields: [reason] },
  rectified: { fields: [{ name: 'text', kind: 'text', needed: true }], kind: 'primary' },
  'accept-rectification': { fields: [note], kind: 'primary' },
  'return-rectification': { fields: [reason] },
  remind: { fields: [note], aside: true },
  note: { fields: [{ name: 'text', kind: 'text', needed: true }, { name: 'internal', kind: 'flag' }], aside: true },
  cancel: { fields: [reason], kind: 'danger', final: true, aside: true },
}

/** What a form begins with. A remark is internal unless its author says otherwise, as at the server. */
export function beginning(step: Step): Values {
  return step === 'note' ? { internal: true } : {}
}

/** The fields that are asked for now. */
export function fieldsOf(step: Step, values: Values, state: State): Field[] {
  return (STEPS[step]?.fields ?? []).filter((field) => field.when?.(values, state) ?? true)
}

function filled(value: Value): boolean {
  if (typeof value === 'string') return value.trim() !== ''
  return Array.isArray(value) ? value.length > 0 : value !== undefined
}

/** Whether somebody has written something that would be lost. */
export function written(step: Step, values: Values): boolean {
  return (STEPS[step]?.fields ?? []).some((field) => field.kind !== 'flag' && filled(values[field.name]))
}

/** What keeps the form from being sent: field -> which of the two. */
export function flawsOf(step: Step, values: Values, state: State): Record<string, 'needed' | 'short'> {
  const found: Record<string, 'needed' | 'short'> = {}
  for (const field of fieldsOf(step, values, state)) {
    const value = values[field.name]
    if (!filled(value)) {
      if (field.needed) found[field.name] = 'needed'
    } else if (field.least && typeof value === 'string' && value.trim().length < field.least) found[field.name] = 'short'
  }
  return found
}

/** What is sent: nothing of fields that are not asked for now, nothing empty. */
export function bodyOf(step: Step, values: Values, state: State, version: number): Record<string, unknown> {
  const body: Record<string, unknown> = { version }
  for (const { name } of fieldsOf(step, values, state)) {
    const value = values[name]
    if (filled(value)) body[name] = typeof value === 'string' ? value.trim() : value
  }
  return body
}

/** The papers that a thread has led to (docs/documents.md): none before the issue, then one for each of these steps. */
export function papersOf(number: string | null, steps: readonly Step[]): Array<'order' | 'reply' | 'reminder' | 'extension' | 'closing'> {
  if (number === null) return []
  const taken = new Set(steps)
  const made = [['issue', 'order'], ['sign-reply', 'reply'], ['remind', 'reminder'], ['ask-extension', 'extension'], ['close', 'closing']] as const
  return made.filter(([step]) => taken.has(step)).map(([, paper]) => paper)
}

/** The version that a form may be sent with after the author's own file came to the case: the next one, unless somebody was between. */
export function afterOwnFile(seen: number, now: number): number {
  return now === seen + 1 ? now : seen
}
