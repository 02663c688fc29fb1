// The form of a draft: from the contents of a case and back. Pure.
import type { Contents } from './cases'

export interface Draft {
  title: string
  facts: string
  requirements: string
  /** One a line. */
  basis: string
  level: Contents['level']
  source: Contents['source']
  external_no: string
  organisation: string | undefined
  person: string
  helpers: string[]
  plate: string
  due_on: string
  alerts: string[]
  orders: string[]
  complaint: string | null
  driver: string | null
  /** The car of the draft as it was: kept where no other is named. */
  vehicle: string | null
}

export function emptyDraft(): Draft {
  return {
    title: '', facts: '', requirements: '请核实情况，书面回复并附相关凭证。', basis: '', level: 'general', source: 'alert', external_no: '', organisation: undefined, person: '',
    helpers: [], plate: '', due_on: '', alerts: [], orders: [], complaint: null, driver: null, vehicle: null,
  }
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '')
const texts = (value: unknown): string[] => (Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : [])

/** What was drafted, in the form. */
export function formOf(contents: Record<string, unknown>): Draft {
  const given = contents as Partial<Contents>
  return {
    title: text(given.title), facts: text(given.facts), requirements: text(given.requirements), basis: texts(given.basis).join('\n'),
    level: given.level ?? 'general', source: given.source ?? 'alert', external_no: text(given.external_no), organisation: given.organisation ?? undefined,
    person: text(given.person), helpers: texts(given.helpers), plate: '', due_on: text(given.due_on), alerts: texts(given.alerts), orders: texts(given.orders),
    complaint: given.complaint ?? null, driver: given.driver ?? null, vehicle: given.vehicle ?? null,
  }
}

/** What is sent. ``vehicle``: the id of the car. Facts that are left empty the server fills from the alerts. */
export function contentsOf(draft: Draft, vehicle: string | null): Contents {
  const or = (value: string): string | null => value.trim() || null
  return {
    title: draft.title.trim(), facts: or(draft.facts), requirements: or(draft.requirements) ?? emptyDraft().requirements,
    basis: [...new Set(draft.basis.split('\n').map((line) => line.trim()).filter(Boolean))], level: draft.level, source: draft.source,
    external_no: or(draft.external_no), organisation: draft.organisation || null, person: or(draft.person), helpers: draft.helpers,
    vehicle, driver: draft.driver, alerts: draft.alerts, orders: draft.orders, due_on: draft.due_on || null, complaint: draft.complaint,
  }
}

/** The alerts of an address: ``alert=a&alert=b`` or ``alert=a,b``; each once, at most as many as a case may have. */
export function alertsIn(query: unknown): string[] {
  const given = (Array.isArray(query) ? query : [query]).flatMap((one) => (typeof one === 'string' ? one.split(',') : []))
  return [...new Set(given.filter((one) => /^[0-9a-f]{32}$/.test(one)))].slice(0, 200)
}

/** A title for a case of alerts, to be written anew by who drafts it. It accuses nobody: 疑似. */
export function titleFor(alerts: ReadonlyArray<{ plate: string; rule: string }>): string {
  const plates = [...new Set(alerts.map((one) => one.plate))]
  const rules = [...new Set(alerts.map((one) => one.rule))]
  return `关于${plates.slice(0, 3).join('、')}${plates.length > 3 ? '等' : ''}疑似${rules.slice(0, 3).join('、')}${rules.length > 3 ? '等' : ''}的督办`
}
