// What the screen of statistics asks of the API: alerts counted by one thing, and their course over time.
import { api, ask, type Schemas } from '@/api/client'
import { serverNow } from '@/text/now'
import { addDays, dayOf, startOf } from '@/text/time'

export type Statistics = Schemas['AlertStatistics']
export type Group = Schemas['AlertGroup']

export const BY = ['organisation', 'vehicle', 'driver', 'rule', 'month', 'severity', 'finding', 'case_state'] as const
export type By = (typeof BY)[number]
export const RULES = [
  'location', 'destination', 'mileage', 'fuel_consumption', 'card_binding', 'card_use', 'refuel_frequency', 'traffic_violations',
  'terminal_silent', 'off_hours', 'sealed', 'tank', 'parking', 'route', 'idle_rental',
] as const
export const FILTERS = ['by', 'rule', 'within', 'from', 'to'] as const
export type StatisticsFilters = Partial<Record<(typeof FILTERS)[number], string>>

/** So many days are counted where none are named. */
export const DAYS = 31
/** A longer time is drawn by months. */
const BY_DAYS = 62
/** Groups that are shown at first, and with each further step. */
export const SHOWN = 100
export const MORE = 500

/** The days that are counted, both included. */
export function span(filters: StatisticsFilters, today: string): { from: string; to: string } {
  const to = filters.to ?? today
  return { from: filters.from ?? addDays(to, 1 - DAYS), to }
}

/** By what the course is drawn: days, or months where there are many. */
export function courseBy(from: string, to: string): 'day' | 'month' {
  return (Date.parse(to) - Date.parse(from)) / 86_400_000 >= BY_DAYS ? 'month' : 'day'
}

/** The names of all days or months of a time, so that one without alerts is a 0 and no hole. */
export function places(from: string, to: string, by: 'day' | 'month'): string[] {
  const found: string[] = []
  for (let day = from; day <= to && found.length < 500; day = addDays(day, 1)) {
    const key = by === 'day' ? day : day.slice(0, 7)
    if (found[found.length - 1] !== key) found.push(key)
  }
  return found
}

function asked(filters: StatisticsFilters) {
  const { from, to } = span(filters, dayOf(serverNow()))
  return { rule: filters.rule as (typeof RULES)[number] | undefined, within: filters.within, from: startOf(from), to: startOf(addDays(to, 1)) }
}

/** A page of groups; without ``cursor`` the first one. */
export function counted(by: By, filters: StatisticsFilters, cursor?: string): Promise<Statistics> {
  const limit = cursor === undefined ? SHOWN : MORE
  return ask(api.GET('/v1/statistics/alerts', { params: { query: { ...asked(filters), by, limit, cursor, order: by === 'month' ? 'key' : 'alerts' } } }))
}

/** The pages as one: the newest numbers of all, and each group once, though one may have moved to another page meanwhile. */
export function together(pages: readonly Statistics[]): Statistics | undefined {
  const last = pages[pages.length - 1]
  if (!last) return undefined
  const seen = new Set<string>()
  const items = pages.flatMap((page) => page.items).filter((one) => {
    const key = `${one.key ?? ''} ${one.key === null} ${one.masked_group}`
    return !seen.has(key) && seen.add(key)
  })
  return { ...last, items }
}

export interface Course {
  names: string[]
  alerts: number[]
  /** The list of each place, where it has any. */
  groups: Array<Group | undefined>
}

export async function course(filters: StatisticsFilters): Promise<Course> {
  const { from, to } = span(filters, dayOf(serverNow()))
  const by = courseBy(from, to)
  const found = await ask(api.GET('/v1/statistics/alerts', { params: { query: { ...asked(filters), by, order: 'key', direction: 'asc', limit: 500 } } }))
  const groups = new Map(found.items.map((group) => [group.key, group]))
  const names = places(from, to, by)
  return { names, alerts: names.map((name) => groups.get(name)?.alerts ?? 0), groups: names.map((name) => groups.get(name)) }
}

/** The rank of each group: equal numbers have one rank (1, 2, 2, 4). */
export function ranks(groups: readonly { alerts: number }[]): number[] {
  let rank = 0
  return groups.map((group, place) => {
    if (groups[place - 1]?.alerts !== group.alerts) rank = place + 1
    return rank
  })
}

/** The twelve months up to ``today``, newest first: reports can be had of them. */
export function months(today: string): string[] {
  const [year = 2000, month = 1] = today.split('-').map(Number)
  return Array.from({ length: 12 }, (_, back) => {
    const at = year * 12 + month - 1 - back
    return `${Math.floor(at / 12)}-${String((at % 12) + 1).padStart(2, '0')}`
  })
}
