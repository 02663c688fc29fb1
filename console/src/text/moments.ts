// Moments as people write them (2026-03-02 08:30, 3月2日 8:30, 昨天 17:05): always of China's time.
import { parseDay } from './days'
import { serverNow } from './now'
import { cellTime, dayOf } from './time'

const CLOCK = /(\d{1,2})[:：](\d{2})(?:[:：](\d{2}))?$/

/** The moment that ``text`` means, as the API reads it; null: none. A day alone is its first minute. */
export function parseMoment(text: string, now: number | Date = serverNow()): string | null {
  const plain = text.normalize('NFKC').trim()
  const clock = CLOCK.exec(plain)
  const day = parseDay(clock ? plain.slice(0, clock.index).replace(/[T\s]+$/, '') : plain, dayOf(now))
  if (day === null) return null
  const [hour, minute, second] = [Number(clock?.[1] ?? 0), Number(clock?.[2] ?? 0), Number(clock?.[3] ?? 0)]
  if (hour > 23 || minute > 59 || second > 59) return null
  const two = (value: number): string => String(value).padStart(2, '0')
  return `${day}T${two(hour)}:${two(minute)}:${two(second)}+08:00`
}

/** A moment of the API as it stands in a field: with seconds only where it has some. */
export function typedMoment(moment: string): string {
  const whole = cellTime(moment, true)
  return whole.endsWith(':00') ? whole.slice(0, -3) : whole
}
