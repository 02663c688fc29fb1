// Months and periods of the ledger as people write them. Pure; amounts: text/amounts.ts.
import { plainDigits } from '@/text/amounts'

/** 会计期间 as people write it (202603, 2026-03, 2026年3月); null: none. */
export function periodOf(text: string): string | null {
  const found = /^(20\d\d)(?:[-/.年]?)(\d{1,2})月?$/.exec(plainDigits(text))
  const month = Number(found?.[2] ?? 0)
  return found && month >= 1 && month <= 12 ? `${found[1]}${String(month).padStart(2, '0')}` : null
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
/** 202603 -> "2026年3月", 2026Q1 -> "2026年第1季度", 2026 -> "2026年度". */
export function periodName(period: string, english: boolean): string {
  const [year, quarter, month] = [period.slice(0, 4), /Q(\d)$/.exec(period)?.[1], period.length === 6 && !period.includes('Q') ? Number(period.slice(4)) : null]
  if (quarter) return english ? `Q${quarter} ${year}` : `${year}年第${quarter}季度`
  if (month) return english ? `${MONTHS[month - 1] ?? month} ${year}` : `${year}年${month}月`
  return english ? year : `${year}年度`
}

/** The newest ``count`` months up to that of ``today`` ("2026-11-30"), ``skip`` of them left out. */
export function months(today: string, count: number, skip = 0): string[] {
  const at = Number(today.slice(0, 4)) * 12 + Number(today.slice(5, 7)) - 1
  return Array.from({ length: count }, (_, back) => at - skip - back).map((month) => `${Math.floor(month / 12)}${String((month % 12) + 1).padStart(2, '0')}`)
}

/** Periods of which there may be indicators: months, then quarters, then years, each the newest first. */
export function spans(today: string): string[] {
  const year = Number(today.slice(0, 4))
  const quarter = year * 4 + Math.ceil(Number(today.slice(5, 7)) / 3) - 1
  const quarters = Array.from({ length: 8 }, (_, back) => quarter - back).map((one) => `${Math.floor(one / 4)}Q${(one % 4) + 1}`)
  return [...months(today, 24), ...quarters, ...[0, 1, 2].map((back) => String(year - back))]
}

/** ``choices`` with what the address names besides, as a field shows them. */
export const periodChoices = (choices: readonly string[], named: string | undefined, english: boolean): { value: string; label: string }[] =>
  [...(named && !choices.includes(named) ? [named] : []), ...choices].map((value) => ({ value, label: periodName(value, english) }))
