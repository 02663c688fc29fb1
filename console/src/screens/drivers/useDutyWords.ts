// What is said of a driver's day, in words and with a sign.
import { useI18n } from 'vue-i18n'

import { cellTime } from '@/text/time'

import type { DutyDay } from './drivers'
import { shiftsText, weekdayOf } from './roster'

type Said = Pick<DutyDay, 'shifts' | 'leave'>

export function useDutyWords() {
  const { t } = useI18n()
  const shifts = (of: Said['shifts']): string => (of === null ? t('drivers.notSaid') : of.length === 0 ? t('drivers.off') : shiftsText(of, t('drivers.nextDay')))
  /** "12-02 周三". */
  const dayName = (day: string): string => `${day.slice(5)} ${t(`drivers.weekday.d${weekdayOf(day)}`)}`
  /** From when to when he is away, whole days without times. */
  function span(from: string, to: string): string {
    const [begin, end] = [cellTime(from), cellTime(to)]
    const whole = begin.endsWith(' 00:00') && end.endsWith(' 00:00')
    if (!whole) return `${begin} – ${begin.slice(0, 10) === end.slice(0, 10) ? end.slice(11) : end}`
    const last = cellTime(Date.parse(to) - 1).slice(0, 10)
    return last === begin.slice(0, 10) ? last : `${begin.slice(0, 10)} – ${last}`
  }
  return { shifts, dayName, span }
}
