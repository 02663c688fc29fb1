// What the pages of the reconciliation ask of the API; the mapping as it is typed and as it is sent.
import { api, ask, type Schemas } from '@/api/client'
import { sendFile } from '@/api/upload'
import type { Page } from '@/composables/usePagedList'
import { wholeOf } from '@/text/amounts'

import { KINDS, type CostKind } from './entries'

export type RunRow = Schemas['ReconciliationRow']
export type RunView = Schemas['ReconciliationView']
export type RunLine = Schemas['ReconciliationLine']
export type Outcome = Schemas['Outcome']
export type Side = RunLine['side']
export type Mapping = Schemas['VoucherMapping']

export const OUTCOMES: readonly Outcome[] = ['matched', 'platform_only', 'finance_only', 'amount', 'period', 'subject', 'undecided']
export const SIDES: readonly Side[] = ['finance', 'platform']
/** As the API bounds a file. */
export const MOST_BYTES = 64 << 20
/** Lines of one match by hand. */
export const MOST_LINES = 100
const TYPES: Readonly<Record<string, string>> = {
  xml: 'application/xml', csv: 'text/csv', txt: 'text/plain', xlsx: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet', xls: 'application/vnd.ms-excel',
}
export const typeOf = (name: string): string => TYPES[(/\.([^.]+)$/.exec(name)?.[1] ?? '').toLowerCase()] ?? 'application/octet-stream'

export function outcomeSign(outcome: Outcome): { kind: 'plain' | 'good' | 'care' | 'bad'; sign: string } {
  if (outcome === 'matched') return { kind: 'good', sign: '✓' }
  if (outcome === 'undecided') return { kind: 'care', sign: '？' }
  return { kind: 'bad', sign: outcome === 'platform_only' ? '◐' : outcome === 'finance_only' ? '◑' : '≠' }
}

export const runPage = (filters: { organisation?: string }, cursor: string | undefined, limit: number): Promise<Page<RunRow>> =>
  ask(api.GET('/v1/reconciliations', { params: { query: { ...filters, cursor, limit } } }))
export const readRun = (id: string): Promise<RunView> => ask(api.GET('/v1/reconciliations/{id}', { params: { path: { id } } }))
export const runLines = (id: string, filters: { outcome?: string; side?: string }, cursor: string | undefined, limit: number): Promise<Page<RunLine>> =>
  // The values of the address were looked at by useAddressFilters.
  ask(api.GET('/v1/reconciliations/{id}/lines', { params: { path: { id }, query: { outcome: filters.outcome as Outcome | undefined, side: filters.side as Side | undefined, cursor, limit } } }))
export const match = (id: string, version: number, lines: number[], reason: string): Promise<RunView> =>
  ask(api.POST('/v1/reconciliations/{id}:match', { params: { path: { id } }, body: { version, lines, reason } }))
export const release = (id: string, version: number, line: number, reason: string): Promise<RunView> =>
  ask(api.POST('/v1/reconciliations/{id}:release', { params: { path: { id } }, body: { version, line, reason } }))
export const sheetOf = (id: string): string => `/v1/reconciliations/${encodeURIComponent(id)}/document`

/** Send a file of vouchers; ``progress``: the part that has gone, then the server compares. Its name is kept as far as it can be printed. */
export function reconcile(organisation: string, since: string, until: string, file: File, progress: (part: number) => void): Promise<RunView> {
  const source = file.name.replace(/[^\u0020-\u007e\u00a1-\uffff]/g, '').slice(0, 200)
  return sendFile(`/v1/reconciliations?${new URLSearchParams({ organisation, since, until, source }).toString()}`, file, typeOf(file.name), progress)
}

export interface Count {
  outcome: Outcome
  finance: { lines: number; fen: number }
  platform: { lines: number; fen: number }
  /** Lines of the run as it was computed, before what people did. */
  found: number
}
/** How many lines of each outcome there are now, and were at first: all outcomes, also those that nothing has. */
export function countsOf(run: Pick<RunView, 'standing' | 'counts'>): Count[] {
  const one = (outcome: Outcome, side: Side): { lines: number; fen: number } => {
    const standing = run.standing.find((each) => each.outcome === outcome && each.side === side)
    return { lines: standing?.lines ?? 0, fen: standing?.amount_fen ?? 0 }
  }
  return OUTCOMES.map((outcome) => ({
    outcome, finance: one(outcome, 'finance'), platform: one(outcome, 'platform'), found: (run.counts.finance[outcome] ?? 0) + (run.counts.platform[outcome] ?? 0),
  }))
}

/** Lines that nothing is matched with may be matched by hand; the others are released first. */
export const isFree = (line: RunLine): boolean => line.step === null
export function sumsOf(lines: readonly RunLine[]): { finance: number; platform: number } {
  const of = (side: Side): number => lines.filter((line) => line.side === side).reduce((sum, line) => sum + line.amount_fen, 0)
  return { finance: of('finance'), platform: of('platform') }
}
/** Why these cannot be matched yet; null: they can be tried. */
export function hindrance(lines: readonly RunLine[]): 'few' | 'many' | 'taken' | 'units' | 'side' | null {
  if (lines.length < 2) return 'few'
  if (lines.length > MOST_LINES) return 'many'
  if (!lines.every(isFree)) return 'taken'
  if (new Set(lines.map((line) => line.organisation)).size > 1) return 'units'
  const { finance, platform } = sumsOf(lines)
  const sides = new Set(lines.map((line) => line.side))
  return sides.size === 1 && finance + platform !== 0 ? 'side' : null
}

// --- how vouchers are read

export const mappingsOf = (organisation: string): Promise<Schemas['VoucherMappings']> => ask(api.GET('/v1/voucher-mappings', { params: { query: { organisation } } }))
export const saveMapping = (id: string, body: Mapping): Promise<Schemas['VoucherMappings']> => ask(api.PUT('/v1/voucher-mappings/{id}', { params: { path: { id } }, body }))

export const VOUCHER_FIELDS = ['unit', 'period', 'year', 'date', 'voucher', 'line', 'summary', 'account', 'budget_class', 'debit', 'credit', 'counterpart', 'attachment'] as const
/** A mapping as it is typed: lists in one line, pairs one to a line ("甲=乙"). */
export interface MappingDraft {
  fields: Record<string, string>
  /** Fields that the file does not have. */
  none: string[]
  record: string
  units: string
  fill_down: boolean
  classes: Record<string, string>
  statement_classes: string
  accounts: string
  account_classes: string
  statement_lag: string
  days: string
}
const listText = (all: readonly string[] | undefined): string => (all ?? []).join('、')
const pairText = (all: Record<string, string> | undefined): string => Object.entries(all ?? {}).map(([name, value]) => `${name}=${value}`).join('\n')
export const mappingDraft = (given: Mapping): MappingDraft => ({
  fields: Object.fromEntries(VOUCHER_FIELDS.map((name) => [name, given.fields?.[name] ?? ''])),
  none: VOUCHER_FIELDS.filter((name) => given.fields?.[name] === null),
  record: listText(given.record), units: pairText(given.units), fill_down: given.fill_down,
  classes: Object.fromEntries(KINDS.map((kind) => [kind, listText(given.classes?.[kind])])),
  statement_classes: listText(given.statement_classes), accounts: listText(given.accounts), account_classes: pairText(given.account_classes),
  statement_lag: String(given.statement_lag), days: String(given.days),
})

const listOf = (text: string): string[] => text.split(/[、,，;；\s]+/).filter((one) => one !== '')
/** Pairs, and the first line that is none. */
function pairsOf(text: string): { pairs: Record<string, string>; wrong: string | null } {
  const pairs: Record<string, string> = {}
  let wrong: string | null = null
  for (const line of text.split('\n').map((one) => one.trim()).filter((one) => one !== '')) {
    const found = /^(.+?)\s*[=＝]\s*(\S+)$/.exec(line)
    if (found?.[1] && found[2]) pairs[found[1]] = found[2]
    else wrong ??= line
  }
  return { pairs, wrong }
}
export type MappingFlaw = { field: 'units' | 'account_classes'; line: string } | { field: 'statement_lag' | 'days' }
/** The mapping as it is sent, and what of it cannot be read. */
export function mappingOf(draft: MappingDraft): { mapping: Mapping; flaws: MappingFlaw[] } {
  const [units, accounts] = [pairsOf(draft.units), pairsOf(draft.account_classes)]
  const [lag, days] = [wholeOf(draft.statement_lag), wholeOf(draft.days)]
  const flaws: MappingFlaw[] = []
  if (units.wrong !== null) flaws.push({ field: 'units', line: units.wrong })
  if (accounts.wrong !== null) flaws.push({ field: 'account_classes', line: accounts.wrong })
  if (lag === null) flaws.push({ field: 'statement_lag' })
  if (days === null) flaws.push({ field: 'days' })
  const named = VOUCHER_FIELDS.flatMap((name): [string, string | null][] => (draft.none.includes(name) ? [[name, null]] : draft.fields[name]?.trim() ? [[name, draft.fields[name].trim()]] : []))
  const classes = KINDS.map((kind): [CostKind, string[]] => [kind, listOf(draft.classes[kind] ?? '')]).filter(([, codes]) => codes.length > 0)
  return {
    mapping: {
      fields: Object.fromEntries(named), record: listOf(draft.record), units: units.pairs, fill_down: draft.fill_down, classes: Object.fromEntries(classes),
      statement_classes: listOf(draft.statement_classes), accounts: listOf(draft.accounts), account_classes: accounts.pairs, statement_lag: lag ?? 0, days: days ?? 0,
    },
    flaws,
  }
}
