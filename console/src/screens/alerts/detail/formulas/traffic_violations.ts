// How many violations one month holds.
import { number, objects, text, type Frozen } from '../frozen'
import type { Writer } from './parts'

const CHINA_MS = 8 * 3_600_000

/** The same day and time of the calendar month before, or its last day; us. */
export function monthBack(us: number): number {
  const there = new Date(Math.floor(us / 1000) + CHINA_MS)
  const [year, month, day] = [there.getUTCFullYear(), there.getUTCMonth(), there.getUTCDate()]
  const last = new Date(Date.UTC(year, month, 0)).getUTCDate()
  const back = Date.UTC(year, month - 1, Math.min(day, last), there.getUTCHours(), there.getUTCMinutes(), there.getUTCSeconds(), there.getUTCMilliseconds())
  return (back - CHINA_MS) * 1000 + (us % 1000)
}

const counts = (row: Frozen): boolean => String(row.why).startsWith('计入')

export function trafficViolations(w: Writer): void {
  w.condition(w.measure('violations'), '≥', w.limit('min_violations', '1'))
  w.also(
    w.measure('listed'), w.measure('not_counted'), w.measure('parking'), w.measure('same_act'), w.limit('natural_month', '1 = yes'),
    w.limit('by_driver', '1 = yes'), w.limit('count_parking', '1 = yes'), w.limit('same_act_min', 'min'), w.limit('drive_speed_kmh', 'km/h'),
  )
  const rows = objects(w.body.violations)
  if (!rows.every((row) => text(row.why) !== null)) return
  w.check('not_counted', rows.filter((row) => !counts(row)).length)
  const month = String(w.body.month)
  const since = Date.UTC(Number(month.slice(0, 4)), Number(month.slice(5)) - 1, 1) * 1000 - CHINA_MS * 1000
  const until = Date.UTC(Number(month.slice(0, 4)), Number(month.slice(5)), 1) * 1000 - CHINA_MS * 1000
  const times = rows.filter(counts).map((row) => number(row.at_us) ?? 0).filter((t) => t < until).sort((a, b) => a - b)
  const natural = Boolean(w.alert.parameters.natural_month)
  const most = times.filter((t) => t >= since).map((t) => {
    const first = natural ? since : monthBack(t)
    return times.filter((one) => one >= first && one <= t).length
  })
  w.check('violations', Math.max(0, ...most))
}
