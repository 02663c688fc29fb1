// Times that are planned, as people write them: 明天 9:00, 后天下午3点半, 周五 14:00, 12月3日9点, 2026-12-03 09:00. Always of China's time. Unlike
// moments.ts, where what is past is looked for, a day without a year is the next one.
import { addDays, cellTime, dayOf } from './time'

const NAMED: Record<string, number> = { 今天: 0, 今日: 0, 今晚: 0, 明天: 1, 明日: 1, 明早: 1, 后天: 2, 大后天: 3, today: 0, tomorrow: 1 }
const PARTS: Record<string, 'am' | 'pm' | 'noon'> = {
  凌晨: 'am', 早上: 'am', 上午: 'am', 早: 'am', 中午: 'noon', 下午: 'pm', 傍晚: 'pm', 晚上: 'pm', 晚: 'pm', am: 'am', pm: 'pm',
}
const WEEKDAYS = '一二三四五六日'
const DIGITS: Record<string, number> = { 零: 0, 一: 1, 二: 2, 两: 2, 三: 3, 四: 4, 五: 5, 六: 6, 七: 7, 八: 8, 九: 9 }
const NUMBER = '\\d{1,2}|[零一二两三四五六七八九十]{1,3}'

const two = (value: number): string => String(value).padStart(2, '0')

/** 十二 and 12 alike; NaN: none. */
function numberOf(text: string): number {
  if (/^\d+$/.test(text)) return Number(text)
  const ten = text.indexOf('十')
  if (ten < 0) return text.length === 1 ? (DIGITS[text] ?? Number.NaN) : Number.NaN
  const [tens, ones] = [text.slice(0, ten), text.slice(ten + 1)]
  return (tens === '' ? 1 : (DIGITS[tens] ?? Number.NaN)) * 10 + (ones === '' ? 0 : (DIGITS[ones] ?? Number.NaN))
}

function validDay(year: number, month: number, date: number): string | null {
  const day = `${String(year).padStart(4, '0')}-${two(month)}-${two(date)}`
  const made = new Date(`${day}T00:00:00Z`)
  return Number.isNaN(made.getTime()) || made.toISOString().slice(0, 10) !== day ? null : day
}

/** The day that begins ``text``, and what is left of it; null: it names a day that is none. Nothing said: ``usual``. */
function dayIn(text: string, today: string, usual: string): { day: string; rest: string; said: boolean } | null {
  const named = Object.keys(NAMED).sort((a, b) => b.length - a.length).find((name) => text.startsWith(name))
  if (named) {
    // 今晚8点, 明早8点 say the part of the day as well.
    const rest = text.slice(named.length)
    return { day: addDays(today, NAMED[named] ?? 0), rest: named === '今晚' ? `晚${rest}` : named === '明早' ? `早${rest}` : rest, said: true }
  }
  const week = new RegExp(`^(下)?(?:周|星期|礼拜)([${WEEKDAYS}天])`).exec(text)
  if (week) {
    const wanted = WEEKDAYS.indexOf((week[2] ?? '').replace('天', '日'))
    const now = (new Date(`${today}T00:00:00Z`).getUTCDay() + 6) % 7
    const ahead = week[1] ? 7 - now + wanted : (wanted - now + 7) % 7
    return { day: addDays(today, ahead), rest: text.slice(week[0].length), said: true }
  }
  const whole = /^(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})[日号]?/.exec(text)
  if (whole) {
    const day = validDay(Number(whole[1]), Number(whole[2]), Number(whole[3]))
    return day === null ? null : { day, rest: text.slice(whole[0].length), said: true }
  }
  const short = /^(\d{1,2})(?:月(\d{1,2})[日号]?|[-/.](\d{1,2})(?![\d]))/.exec(text)
  if (!short) return { day: usual, rest: text, said: false }
  const [month, date, year] = [Number(short[1]), Number(short[2] ?? short[3]), Number(today.slice(0, 4))]
  const candidates = [year, year + 1, year + 2, year + 3, year + 4].map((one) => validDay(one, month, date))
  const day = candidates.find((one) => one !== null && one >= today)
  return day ? { day, rest: text.slice(short[0].length), said: true } : null
}

/** Minutes since midnight; null: no time of a day. */
function clockIn(text: string): number | null {
  const part = Object.keys(PARTS).sort((a, b) => b.length - a.length).find((name) => text.startsWith(name))
  const rest = part ? text.slice(part.length) : text
  const found =
    /^(\d{1,2})[:：](\d{2})(?:[:：]\d{2})?$/.exec(rest) ?? new RegExp(`^(${NUMBER})(?:点|时)(半|一刻|三刻|整|(?:${NUMBER})分?)?$`).exec(rest)
  if (!found) return null
  let hour = numberOf(found[1] ?? '')
  const said = (found[2] ?? '').replace('分', '')
  const minute = ({ '': 0, 半: 30, 一刻: 15, 三刻: 45, 整: 0 } as Record<string, number>)[said] ?? numberOf(said)
  const of = part ? PARTS[part] : undefined
  if ((of === 'pm' && hour < 12) || (of === 'noon' && hour < 3)) hour += 12
  if (of === 'am' && hour === 12) hour = 0
  return Number.isNaN(hour + minute) || hour > 23 || minute > 59 ? null : hour * 60 + minute
}

/** The moment that ``text`` means, as the API reads it; null: none. Without a day it is today's, or the day of ``from``, when it is a return: then
 * "3小时" counts from there as well. A day alone is no time: whoever waits for a car says when. */
export function parseAhead(text: string, now: number | Date, from?: string | null): string | null {
  // Where a day ends is said before spaces go: 12/3 9:00 is no 39th.
  const marked = text.normalize('NFKC').trim().toLowerCase().replace(/^(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})[\st]+/, '$1年$2月$3日').replace(/^(\d{1,2})[-/.](\d{1,2})\s+/, '$1月$2日')
  const plain = marked.replace(/\s+/g, '')
  if (from) {
    const long = /^(\d{1,2}(?:\.\d)?|半|[一二两三四五六七八九十]{1,2})个?(半)?(小时|天)后?$/.exec(plain)
    if (long) {
      const count = (long[1] === '半' ? 0.5 : /\d/.test(long[1] ?? '') ? Number(long[1]) : numberOf(long[1] ?? '')) + (long[2] ? 0.5 : 0)
      const end = Date.parse(from) + count * (long[3] === '天' ? 86_400_000 : 3_600_000)
      return count > 0 ? written(cellTime(end)) : null
    }
  }
  const today = dayOf(now)
  const day = dayIn(plain, today, from ? dayOf(from) : today)
  if (day === null) return null
  const minutes = clockIn(day.rest)
  return minutes === null ? null : written(`${day.day} ${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`)
}

const written = (cell: string): string => `${cell.replace(' ', 'T')}:00+08:00`
