// What the pages of the ledger ask of the API, and the form of a cost: as it is typed, and as it is sent.
import { api, ask, type Schemas } from '@/api/client'
import type { ApiProblem } from '@/api/problem'
import type { Page } from '@/composables/usePagedList'
import { fenOf, thousandths, thousandthsOf, wholeOf, yuan } from '@/text/amounts'
import { parseDay } from '@/text/days'
import { isPlate, plainPlate } from '@/text/plates'

import { periodOf } from './periods'

export type EntryRow = Schemas['CostEntry']
export type EntryView = Schemas['CostEntryView']
export type Contents = Schemas['CostContents']
export type CostKind = Schemas['CostKind']

export const KINDS: readonly CostKind[] = [
  'fuel', 'charging', 'toll', 'parking', 'washing', 'service', 'repair_parts', 'repair_labour', 'tyres', 'compulsory_insurance', 'commercial_insurance', 'inspection', 'vehicle_tax',
  'fine', 'accident', 'overtime', 'allowance', 'rental', 'platform', 'depreciation', 'other',
]
/** Nobody writes an invoice for these. */
const WITHOUT_INVOICE: readonly CostKind[] = ['depreciation', 'overtime', 'allowance', 'fine', 'vehicle_tax']
export const PAYERS = ['unit', 'driver', 'insurer'] as const
export const FILTERS = ['organisation', 'vehicle', 'kind', 'period', 'dispatch', 'finding', 'from', 'to'] as const
export type EntryFilters = Partial<Record<(typeof FILTERS)[number], string>>

/** The vehicle of a plate; what is no plate is an id already. null: no vehicle has the plate. */
export async function vehicleId(typed: string): Promise<string | null> {
  if (!isPlate(typed)) return typed.trim()
  return (await ask(api.GET('/v1/vehicles', { params: { query: { plate: plainPlate(typed), limit: 1 } } }))).items[0]?.id ?? null
}
export const plateOf = async (id: string): Promise<string> => (await ask(api.GET('/v1/vehicles/{id}', { params: { path: { id } } }))).plate
export async function entryPage(filters: EntryFilters, cursor: string | undefined, limit: number): Promise<Page<EntryRow>> {
  const { finding, kind, vehicle: typed, ...others } = filters
  const vehicle = typed === undefined ? undefined : await vehicleId(typed)
  if (vehicle === null) return { items: [], next: null }
  // The values of the address were looked at by useAddressFilters.
  return ask(api.GET('/v1/cost-entries', { params: { query: { ...others, kind: kind as CostKind | undefined, vehicle, finding: finding === '1', cursor, limit } } }))
}
export const readEntry = (id: string): Promise<EntryView> => ask(api.GET('/v1/cost-entries/{id}', { params: { path: { id } } }))
export const enter = (body: Contents): Promise<EntryView> => ask(api.POST('/v1/cost-entries', { body }))
export const correct = (id: string, version: number, contents: Contents, reason: string): Promise<EntryView> =>
  ask(api.POST('/v1/cost-entries/{id}:correct', { params: { path: { id } }, body: { version, contents, reason } }))
export const reverse = (id: string, version: number, reason: string): Promise<EntryView> =>
  ask(api.POST('/v1/cost-entries/{id}:reverse', { params: { path: { id } }, body: { version, reason } }))

/** A cost as it is typed. ``day``, ``period``, amounts and quantities in people's words. */
export interface CostDraft {
  kind: CostKind | ''
  organisation: string
  vehicle: string
  day: string
  amount: string
  quantity: string
  price: string
  vendor: string
  invoice_no: string
  invoice_code: string
  no_invoice: string
  driver: string
  dispatch: string
  period: string
  payer: string
  budget_class: string
  entry_no: string
  note: string
  attachment_sha256: string
}
export type CostField = keyof CostDraft
export type CostFlaw = 'needed' | 'money' | 'day' | 'quantity' | 'period' | 'invoice'
/** Shown first; the others stand behind 更多. */
export const FIRST: readonly CostField[] = ['kind', 'vehicle', 'day', 'amount', 'quantity', 'vendor', 'invoice_no', 'no_invoice', 'organisation']

export const emptyCost = (organisation: string, day: string): CostDraft => ({
  kind: '', organisation, vehicle: '', day, amount: '', quantity: '', price: '', vendor: '', invoice_no: '', invoice_code: '', no_invoice: '', driver: '', dispatch: '', period: '', payer: '',
  budget_class: '', entry_no: '', note: '', attachment_sha256: '',
})

/** What a quantity is counted in; null: this kind of cost is counted in times. */
export const measureOf = (kind: CostKind | ''): 'litres' | 'kwh' | null => (kind === 'fuel' ? 'litres' : kind === 'charging' ? 'kwh' : null)
const quantityOf = (kind: CostKind | '', text: string): number | null => (measureOf(kind) ? thousandthsOf(text) : wholeOf(text))
export const quantityText = (kind: CostKind | '', value: number): string => (measureOf(kind) ? thousandths(value) : String(value))
export const needsInvoice = (draft: CostDraft): boolean => draft.kind !== '' && !WITHOUT_INVOICE.includes(draft.kind) && (fenOf(draft.amount) ?? 1) > 0

/** What is wrong with it before it is sent. ``today``: "2026-11-30". */
export function costFlaws(draft: CostDraft, today: string): Partial<Record<CostField, CostFlaw>> {
  const found: Partial<Record<CostField, CostFlaw>> = {}
  for (const name of ['kind', 'organisation', 'vehicle', 'day', 'amount'] as const) if (draft[name].trim() === '') found[name] = 'needed'
  if (!found.amount && !fenOf(draft.amount)) found.amount = 'money'
  if (!found.day && parseDay(draft.day, today) === null) found.day = 'day'
  if (draft.quantity.trim() && (quantityOf(draft.kind, draft.quantity) ?? -1) < 0) found.quantity = 'quantity'
  if (draft.price.trim() && (fenOf(draft.price) ?? -1) < 0) found.price = 'money'
  if (draft.period.trim() && periodOf(draft.period) === null) found.period = 'period'
  if (needsInvoice(draft) && !draft.invoice_no.trim() && !draft.no_invoice.trim()) found.invoice_no = 'invoice'
  return found
}

/** As it is sent; only where costFlaws finds nothing. ``vehicle``: its id. */
export function contentsOf(draft: CostDraft, vehicle: string, today: string): Contents {
  const text = (name: CostField): string => draft[name].trim()
  const orNull = (name: CostField): string | null => text(name) || null
  return {
    kind: draft.kind as CostKind, organisation: text('organisation'), vehicle, occurred_on: parseDay(draft.day, today) ?? '', amount_fen: fenOf(draft.amount) ?? 0,
    entry_no: orNull('entry_no'), period: text('period') ? periodOf(draft.period) : null, dispatch: orNull('dispatch'), driver: orNull('driver'),
    quantity: text('quantity') ? quantityOf(draft.kind, draft.quantity) : null, unit_price_fen: text('price') ? fenOf(draft.price) : null, vendor: text('vendor'),
    invoice_code: text('invoice_code'), invoice_no: text('invoice_no'), no_invoice: text('no_invoice'), payer: (text('payer') || null) as Contents['payer'],
    budget_class: text('budget_class'), attachment_sha256: text('attachment_sha256'), note: text('note'),
  }
}

/** An entry in the form: what its newest version says. */
export function costOf(view: EntryView): CostDraft {
  const said = (view.versions.filter((one) => one.step !== 'reverse').at(-1)?.body.contents ?? {}) as Partial<Contents>
  const kind = said.kind ?? view.kind
  return {
    kind, organisation: said.organisation ?? view.organisation, vehicle: said.vehicle ?? view.vehicle, day: said.occurred_on ?? view.occurred_on, amount: yuan(said.amount_fen ?? view.amount_fen),
    quantity: typeof said.quantity === 'number' ? quantityText(kind, said.quantity) : '', price: typeof said.unit_price_fen === 'number' ? yuan(said.unit_price_fen) : '',
    vendor: said.vendor ?? '', invoice_no: said.invoice_no ?? '', invoice_code: said.invoice_code ?? '', no_invoice: said.no_invoice ?? '', driver: said.driver ?? '', dispatch: said.dispatch ?? '',
    period: said.period ?? '', payer: said.payer ?? '', budget_class: said.budget_class ?? '', entry_no: said.entry_no ?? '', note: said.note ?? '', attachment_sha256: said.attachment_sha256 ?? '',
  }
}

const NAMED: Record<string, CostField> = { occurred_on: 'day', amount_fen: 'amount', unit_price_fen: 'price' }
/** The refusals of the server at the fields of the form; ``reason``: at that of a correction. What belongs to none is left to the notice. */
export function placedAt(problem: ApiProblem | null, say: (text: string) => string): { flaws: Record<string, string>; others: boolean } {
  const flaws: Record<string, string> = {}
  let others = problem !== null && problem.errors.length === 0
  for (const one of problem?.errors ?? []) {
    const path = (one.pointer ?? '').split('/').filter((part) => part !== '' && part !== 'contents')
    const name = NAMED[path[0] ?? ''] ?? path[0]
    if (name && (name in emptyCost('', '') || name === 'reason')) flaws[name] = say(one.message)
    else others = true
  }
  return { flaws, others }
}

/** What the program keeps with a reversal: it stands elsewhere on the page. */
const KEPT: readonly string[] = ['source', 'version', 'created_at', 'designated', 'reverses']
/** What a version says, name and value, in the order of the form. */
export function versionWords(body: Record<string, unknown>): { name: string; value: string; coded?: 'kind' | 'payer' }[] {
  const said = (body.contents ?? {}) as Record<string, unknown>
  const found: { name: string; value: string; coded?: 'kind' | 'payer' }[] = []
  for (const [name, value] of Object.entries(said)) {
    if (value === null || value === '' || typeof value === 'object' || KEPT.includes(name)) continue
    const kind = said.kind as CostKind
    if (name === 'kind' || name === 'payer') found.push({ name, value: String(value), coded: name })
    else if (typeof value === 'number') found.push({ name: NAMED[name] ?? name, value: name === 'quantity' ? quantityText(kind, value) : name.endsWith('_fen') ? yuan(value) : String(value) })
    else found.push({ name: NAMED[name] ?? name, value: String(value) })
  }
  if (typeof body.reason === 'string') found.push({ name: 'reason', value: body.reason })
  return found
}
