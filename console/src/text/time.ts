// Times as people read them, always in China's time (UTC+8, no summer time), whatever the desktop's clock and zone say.
import { serverNow } from './now'

export type Language = 'zh' | 'en'

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const DAY_MS = 86_400_000
const CHINA_MS = 8 * 3_600_000

const two = (value: number): string => String(value).padStart(2, '0')

/** A moment in China's time, as a Date whose UTC fields are China's. Throws RangeError. */
function inChina(moment: string | number | Date): Date {
  const at = new Date(moment).getTime()
  if (Number.isNaN(at)) throw new RangeError(`no time: ${String(moment)}`)
  return new Date(at + CHINA_MS)
}

/** "2026年11月23日 14:05 北京时间". For a place where the zone is not said otherwise. */
export function fullTime(moment: string | number | Date, language: Language = 'zh'): string {
  const at = inChina(moment)
  const clock = `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}`
  if (language === 'en') return `${at.getUTCDate()} ${MONTHS[at.getUTCMonth()]} ${at.getUTCFullYear()}, ${clock} Beijing time`
  return `${at.getUTCFullYear()}年${at.getUTCMonth() + 1}月${at.getUTCDate()}日 ${clock} 北京时间`
}

/** "2026-11-23 14:05", for columns whose heading names the zone; ``seconds``: with them. */
export function cellTime(moment: string | number | Date, seconds = false): string {
  const text = inChina(moment).toISOString()
  return `${text.slice(0, 10)} ${text.slice(11, seconds ? 19 : 16)}`
}

/** "2026年11月23日". */
export function fullDay(day: string, language: Language = 'zh'): string {
  const [year, month, date] = day.split('-').map(Number)
  if (language === 'en') return `${date} ${MONTHS[(month ?? 1) - 1]} ${year}`
  return `${year}年${month}月${date}日`
}

/** The day of a moment in China, "2026-11-23". */
export function dayOf(moment: string | number | Date): string {
  return inChina(moment).toISOString().slice(0, 10)
}

/** The day that is ``days`` after ``day``. */
export function addDays(day: string, days: number): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + days * DAY_MS).toISOString().slice(0, 10)
}

/** The beginning of a day in China, as the API reads it. */
export function startOf(day: string): string {
  return `${day}T00:00:00+08:00`
}

/** "3 分钟前", "2 d ago". */
export function age(moment: string | number | Date, now: number = serverNow(), language: Language = 'zh'): string {
  const seconds = Math.max(0, Math.round((now - new Date(moment).getTime()) / 1000))
  const [value, zh, en] =
    seconds < 60 ? [seconds, '秒', 's'] : seconds < 3600 ? [Math.floor(seconds / 60), '分钟', 'min']
    : seconds < 86_400 ? [Math.floor(seconds / 3600), '小时', 'h'] : [Math.floor(seconds / 86_400), '天', 'd']
  return language === 'en' ? `${value} ${en} ago` : `${value} ${zh}前`
}
