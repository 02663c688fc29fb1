// Shifts and weeks of a roster, and days and times as the forms of this screen read them. Pure.
import { addDays } from '@/text/time'

import { periods } from '../assessment/assessment'
import type { Objection, Shift } from './drivers'

const two = (value: number): string => String(value).padStart(2, '0')
const SPAN = /^(\d{1,2})(?:[:：](\d{2}))?[-–~—至到](次日)?(\d{1,2})(?:[:：](\d{2}))?/

/** Shifts as people write them (8:00-12:00 14:00-17:30, 8-17), 休 or off = none of that day; null: they cannot be read. One that ends at or before its
 * beginning ends on the next day. */
export function parseShifts(text: string): Shift[] | null {
  let rest = text.normalize('NFKC').trim()
  if (/^(休息?|off)$/i.test(rest)) return []
  const found: Shift[] = []
  while (rest !== '') {
    const span = SPAN.exec(rest)
    if (!span) return null
    const [from, to] = [clock(span[1], span[2]), clock(span[4], span[5])]
    // 24:00 is the end of a day, and the beginning of none.
    if (from === null || to === null || from === '24:00' || (span[3] && to > from)) return null
    found.push({ from, to })
    rest = rest.slice(span[0].length)
    if (rest !== '' && !/^[\s,，、;；]/.test(rest)) return null
    rest = rest.replace(/^[\s,，、;；]+/, '')
  }
  return found.length > 0 && found.length <= 4 ? found : null
}

function clock(hour: string | undefined, minute: string | undefined): string | null {
  const [hours, minutes] = [Number(hour), Number(minute ?? 0)]
  return hours > 24 || minutes > 59 || (hours === 24 && minutes > 0) ? null : `${two(hours)}:${two(minutes)}`
}

/** "8:00–12:00 14:00–17:30", of a shift into the next day "20:00–次日6:00"; what stands for no shift at all is the caller's. */
export const shiftsText = (shifts: readonly Shift[], following: string): string =>
  shifts.map((one) => `${plain(one.from)}–${one.to <= one.from ? following : ''}${plain(one.to)}`).join(' ')
/** Several shifts of a day in short: "8:00–17:30". */
export const hullText = (shifts: readonly Shift[], following: string): string => {
  const [first, last] = [shifts[0], shifts.at(-1)]
  return first && last ? `${plain(first.from)}–${last.to <= last.from ? following : ''}${plain(last.to)}` : ''
}
const plain = (text: string): string => text.replace(/^0(?=\d)/, '')

/** The Monday of the week of ``day``. */
export function mondayOf(day: string): string {
  return addDays(day, -((new Date(`${day}T00:00:00Z`).getUTCDay() + 6) % 7))
}
/** 0: Monday. */
export const weekdayOf = (day: string): number => (new Date(`${day}T00:00:00Z`).getUTCDay() + 6) % 7
export const daysFrom = (first: string, count: number): string[] => Array.from({ length: count }, (_, k) => addDays(first, k))

/** A day that is there: "2026-02-28". */
export const isDay = (text: unknown): text is string =>
  typeof text === 'string' && /^20\d{2}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(`${text}T00:00:00Z`)) && addDays(text, 0) === text

/** From when to when somebody is away: whole days where no time is said. Null: it is no span. */
export function leaveSpan(fromDay: string, fromTime: string, toDay: string, toTime: string): { from: string; to: string } | null {
  if (!isDay(fromDay) || !isDay(toDay)) return null
  const from = `${fromDay}T${fromTime || '00:00'}:00+08:00`
  const to = toTime ? `${toDay}T${toTime}:00+08:00` : `${addDays(toDay, 1)}T00:00:00+08:00`
  return [from, to].some((one) => Number.isNaN(Date.parse(one))) || Date.parse(to) <= Date.parse(from) ? null : { from, to }
}

/** Quarters up to that of ``today``, the newest first. */
export const quarters = (today: string): string[] => periods(today).filter((one) => one.includes('Q'))
/** Points that a unit adds: nothing, or more than 0 and at most 10 with one decimal at most. Null: it is neither. */
export function pointsAdded(text: string): string | '' | null {
  const said = text.normalize('NFKC').trim()
  if (said === '') return ''
  return /^\d{1,2}(\.\d)?$/.test(said) && Number(said) > 0 && Number(said) <= 10 ? said : null
}

/** What may be done about a line of a sheet. ``own``: it is the caller's own sheet; ``today``: the server's day. */
export function objecting(issued: boolean, until: string | null, said: Objection | undefined, own: boolean, decides: boolean, today: string): 'object' | 'decide' | null {
  if (!issued) return null
  if (said) return said.state === 'open' && decides && !own ? 'decide' : null
  return own && (until === null || today <= until) ? 'object' : null
}

export interface WeekSaid {
  from: string
  nothing: boolean
  week: string[]
  note: string
}
/** The body of a week; null: something of it cannot be read. */
export function weekBody(said: WeekSaid): { valid_from: string; days: Shift[][] | null; note: string } | null {
  const days = said.week.map(parseShifts)
  if (!isDay(said.from) || (!said.nothing && days.includes(null))) return null
  return { valid_from: said.from, days: said.nothing ? null : (days as Shift[][]), note: said.note.trim() }
}

/** Days that are entered at once, at most (registry.duty.MOST_DAYS). */
export const MOST_DAYS = 93
export interface DaysSaid {
  first: string
  last: string
  /** As the week again. */
  same: boolean
  shifts: string
  note: string
}
/** The body of single days, all alike; null: something of it cannot be read. */
export function daysBody(said: DaysSaid): { days: { day: string; shifts: Shift[] | null }[]; note: string } | null {
  const shifts = said.same ? null : parseShifts(said.shifts)
  if (!isDay(said.first) || !isDay(said.last) || said.last < said.first || said.last > addDays(said.first, MOST_DAYS - 1) || (!said.same && shifts === null)) return null
  const days: string[] = []
  for (let day = said.first; day <= said.last; day = addDays(day, 1)) days.push(day)
  return { days: days.map((day) => ({ day, shifts })), note: said.note.trim() }
}

/** The days of a month ("2026-03"): the first and the last. Null: it is none. */
export function monthSpan(month: string): [string, string] | null {
  if (!/^20\d{2}-(0[1-9]|1[0-2])$/.test(month)) return null
  const next = addDays(`${month}-28`, 4).slice(0, 7)
  return [`${month}-01`, addDays(`${next}-01`, -1)]
}

/** Minutes as "2:05" hours. */
export const hoursText = (minutes: number): string => `${Math.floor(minutes / 60)}:${two(minutes % 60)}`
