// Money as people write it and as the API takes it (integer 分), amounts in thousandths, whole numbers. Pure; no number is ever computed as a fraction.

/** Digits as they are typed anywhere, without what only groups them. */
export const plainDigits = (text: string): string => text.normalize('NFKC').trim().replace(/[,\s]/g, '')

/** A decimal number as an integer of its ``places``-th parts; null: it cannot be read, or says more than that. */
function scaled(text: string, places: number): number | null {
  const found = /^([+-]?)(\d{1,9})(?:\.(\d+))?$/.exec(text)
  const rest = found?.[3] ?? ''
  if (!found || rest.length > places) return null
  const value = Number(`${found[2]}${rest.padEnd(places, '0')}`)
  return found[1] === '-' && value !== 0 ? -value : value
}

/** Yuan as people write them (350、¥1,234.50、12.5元) in 分; null: no sum of money. */
export const fenOf = (text: string): number | null => scaled(plainDigits(text).replace(/^[¥￥]/, '').replace(/元$/, ''), 2)

/** 分 as yuan, "1234.50", as papers print them. */
export function yuan(fen: number): string {
  const digits = String(Math.abs(fen)).padStart(3, '0')
  return `${fen < 0 ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`
}

/** Thousandths without needless noughts: ml as litres, Wh as kWh, m as km. */
export function thousandths(value: number): string {
  const digits = String(Math.abs(value)).padStart(4, '0')
  const rest = digits.slice(-3).replace(/0+$/, '')
  return `${value < 0 ? '-' : ''}${digits.slice(0, -3)}${rest ? `.${rest}` : ''}`
}
/** Litres, kWh or km in thousandths; null: no number. */
export const thousandthsOf = (text: string): number | null => scaled(plainDigits(text).replace(/(升|l|千瓦时|度|kwh|公里|km)$/i, ''), 3)

/** A whole number that is not negative; null: none. */
export function wholeOf(text: string): number | null {
  const found = plainDigits(text)
  return /^\d{1,9}$/.test(found) ? Number(found) : null
}
