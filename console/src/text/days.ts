// Days as people write them: 3月2日, 昨天, 2026-03-02, 20260302, 3/2, 2026年3月2日.
import { addDays } from './time'

const NAMED: Record<string, number> = { 今天: 0, 今日: 0, 昨天: -1, 昨日: -1, 前天: -2, 明天: 1, today: 0, yesterday: -1 }

function valid(year: number, month: number, date: number): string | null {
  const day = `${String(year).padStart(4, '0')}-${String(month).padStart(2, '0')}-${String(date).padStart(2, '0')}`
  const made = new Date(`${day}T00:00:00Z`)
  if (year < 1970 || year > 2100 || Number.isNaN(made.getTime()) || made.toISOString().slice(0, 10) !== day) return null
  return day
}

/** The day that ``text`` means, "2026-03-02"; null: none. Without a year the newest one that is not after ``today``. */
export function parseDay(text: string, today: string): string | null {
  const plain = text.normalize('NFKC').trim().toLowerCase().replace(/\s+/g, '')
  const named = NAMED[plain]
  if (named !== undefined) return addDays(today, named)
  const whole = /^(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?号?$/.exec(plain) ?? /^(\d{4})(\d{2})(\d{2})$/.exec(plain)
  if (whole) return valid(Number(whole[1]), Number(whole[2]), Number(whole[3]))
  const short = /^(\d{1,2})[-/.月](\d{1,2})[日号]?$/.exec(plain)
  if (!short) return null
  const year = Number(today.slice(0, 4))
  for (const candidate of [year, year - 1, year - 2, year - 3, year - 4]) {
    const day = valid(candidate, Number(short[1]), Number(short[2]))
    if (day !== null && day <= today) return day
  }
  return null
}

/** A day that is said with its year (2026-03-02, 2026年3月2日, 20260302); null: it is none. What holds for years is never guessed. */
export function dayWithYear(text: string): string | null {
  return /^\s*20\d{2}/.test(text.normalize('NFKC')) ? parseDay(text, '2100-12-31') : null
}
