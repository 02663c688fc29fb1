// A scoring table while it is drafted: what is wrong with it, and how two of them differ. Points are texts; sums are whole hundredths,
// as the server has them (office.assessment.table). All of it is pure.
import type { ScoreTable } from './assessment'

export type Item = ScoreTable['items'][number]
export type Entry = ScoreTable['entries'][number]

export const FACTS = ['finding', 'late_reply', 'late_sign', 'returned'] as const
export const FULL = 10_000
const POINTS = /^(100(\.0)?|[0-9]{1,2}(\.[0-9])?)$/
const CODE = /^[a-z][a-z0-9_]{0,31}$/

/** "2.5" -> 250; null: no points. */
export function hundredths(text: string): number | null {
  if (!POINTS.test(text)) return null
  const [whole = '0', part = ''] = text.split('.')
  return Number(whole) * 100 + Number(`${part}00`.slice(0, 2))
}

/** 250 -> "2.50". */
export const shownPoints = (points: number): string => `${Math.floor(points / 100)}.${String(points % 100).padStart(2, '0')}`

/** What the maxima make together; what is no number counts nothing. */
export const sumOf = (items: readonly Item[]): number => items.reduce((sum, item) => sum + (hundredths(item.maximum) ?? 0), 0)

export interface TableFlaw {
  /** "items.3.maximum", "entries.0.item", "sum" */
  at: string
  kind: 'needed' | 'code' | 'twice' | 'points' | 'sum' | 'noItem' | 'findings' | 'percent' | 'days' | 'none'
}

const whole = (value: unknown, least: number, most: number): boolean => typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most

/** What the server would refuse, and where. */
export function flawsOf(table: ScoreTable): TableFlaw[] {
  const found: TableFlaw[] = []
  const codes = table.items.map((item) => item.code)
  table.items.forEach((item, k) => {
    if (!CODE.test(item.code)) found.push({ at: `items.${k}.code`, kind: 'code' })
    else if (codes.indexOf(item.code) !== k) found.push({ at: `items.${k}.code`, kind: 'twice' })
    if (!item.name.trim()) found.push({ at: `items.${k}.name`, kind: 'needed' })
    if (!hundredths(item.maximum)) found.push({ at: `items.${k}.maximum`, kind: 'points' })
  })
  if (sumOf(table.items) !== FULL) found.push({ at: 'sum', kind: 'sum' })
  if (table.entries.length === 0) found.push({ at: 'entries', kind: 'none' })
  table.entries.forEach((entry, k) => {
    if (!codes.includes(entry.item)) found.push({ at: `entries.${k}.item`, kind: 'noItem' })
    if ((entry.fact === 'finding') !== ((entry.findings?.length ?? 0) > 0)) found.push({ at: `entries.${k}.findings`, kind: 'findings' })
    if (!hundredths(entry.points)) found.push({ at: `entries.${k}.points`, kind: 'points' })
  })
  const back = table.give_back
  if (!whole(back.on_time_percent, 0, 100)) found.push({ at: 'give_back.on_time_percent', kind: 'percent' })
  if (!whole(back.late_percent, 0, 100)) found.push({ at: 'give_back.late_percent', kind: 'percent' })
  if (!whole(back.late_wd, 0, 200)) found.push({ at: 'give_back.late_wd', kind: 'days' })
  if (!whole(table.dispute_wd, 1, 60)) found.push({ at: 'dispute_wd', kind: 'days' })
  return found
}

/** As it is sent: lateness and returns know no rule; what is empty is any. */
export function cleaned(table: ScoreTable): ScoreTable {
  const some = <T>(list: T[] | null | undefined): T[] | null => (list && list.length ? list : null)
  return {
    ...table,
    items: table.items.map((item) => ({ ...item, code: item.code.trim(), name: item.name.trim(), maximum: item.maximum.trim() })),
    entries: table.entries.map((entry) =>
      entry.fact === 'finding'
        ? { ...entry, points: entry.points.trim(), rules: some(entry.rules), severities: some(entry.severities), sources: some(entry.sources) }
        : { item: entry.item, fact: entry.fact, points: entry.points.trim(), findings: [], rules: null, severities: null, sources: null }),
  }
}

export interface Change {
  what: 'item' | 'entry' | 'order' | 'give_back' | 'dispute_wd' | 'note'
  name: string
  before: string
  after: string
}

/** What of ``after`` is not as in ``before``. ``say``: an entry as people read it, without its points. */
export function changes(before: ScoreTable, after: ScoreTable, say: (entry: Entry) => string): Change[] {
  const found: Change[] = []
  const compare = (what: Change['what'], old: ReadonlyMap<string, string>, now: ReadonlyMap<string, string>): void => {
    for (const name of new Set([...old.keys(), ...now.keys()])) {
      const [was, is] = [old.get(name) ?? '', now.get(name) ?? '']
      if (was !== is) found.push({ what, name, before: was, after: is })
    }
  }
  const items = (table: ScoreTable) => new Map(table.items.map((item) => [item.code, `${item.name} ${item.maximum}`]))
  // The first entry that fits counts: two that say the same of a finding may both stand there.
  const entries = (table: ScoreTable): Map<string, string> => {
    const each = new Map<string, string>()
    for (const entry of table.entries) each.set(say(entry), [each.get(say(entry)), entry.points].filter(Boolean).join('、'))
    return each
  }
  compare('item', items(before), items(after))
  compare('entry', entries(before), entries(after))
  const order = (table: ScoreTable, among: ReadonlySet<string>): string => table.entries.map(say).filter((one) => among.has(one)).join('\n')
  const both = new Set(before.entries.map(say).filter((one) => after.entries.some((entry) => say(entry) === one)))
  if (order(before, both) !== order(after, both)) found.push({ what: 'order', name: '', before: '', after: '' })
  const back = (table: ScoreTable): string => [table.give_back.on_time_percent, table.give_back.late_percent, table.give_back.late_wd].join(' / ')
  compare('give_back', new Map([['', back(before)]]), new Map([['', back(after)]]))
  compare('dispute_wd', new Map([['', String(before.dispute_wd)]]), new Map([['', String(after.dispute_wd)]]))
  compare('note', new Map([['', before.note ?? '']]), new Map([['', after.note ?? '']]))
  return found
}
