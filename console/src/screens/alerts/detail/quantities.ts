// Numbers with their units as people read them. Exact: no digit of what the evidence says is lost, and none is added.

import { codeWord, taskWords } from './codes'

export type Value = number | string | boolean | null | undefined

export interface Shown {
  number: string
  unit: { zh: string; en: string }
}

const UNITS: Record<string, readonly [zh: string, en: string]> = {
  m: ['米', 'm'], mm: ['毫米', 'mm'], s: ['秒', 's'], min: ['分钟', 'min'], h: ['小时', 'h'], d: ['天', 'd'], month: ['个月', 'months'],
  km: ['公里', 'km'], 'km/h': ['公里/时', 'km/h'], l: ['升', 'l'], kWh: ['千瓦时', 'kWh'], 'l/100 km': ['升/百公里', 'l/100 km'], 'ml/h': ['毫升/时', 'ml/h'],
  'kWh/100 km': ['千瓦时/百公里', 'kWh/100 km'], yuan: ['元', 'yuan'], times: ['倍', 'times'], '%': ['%', '%'], '°': ['°', '°'], '1': ['', ''],
}

/** ``value`` / 10^``places`` without a rounding: whole digits are moved. */
export function moved(value: number, places: number): string {
  if (!Number.isInteger(value)) return String(value)
  const digits = String(Math.abs(value)).padStart(places + 1, '0')
  const whole = digits.slice(0, digits.length - places).replace(/\B(?=(\d{3})+$)/g, ',')
  const part = places ? digits.slice(-places).replace(/0+$/, '') : ''
  return `${value < 0 ? '-' : ''}${whole}${part ? `.${part}` : ''}`
}

const two = (n: number): string => String(n).padStart(2, '0')

/** Unit of the evidence -> (how many digits it is moved, unit that is read). */
const AS: Record<string, readonly [places: number, unit: string]> = {
  ml: [3, 'l'], Wh: [3, 'kWh'], 'ml/100 km': [3, 'l/100 km'], 'Wh/100 km': [3, 'kWh/100 km'], fen: [2, 'yuan'], times: [3, 'times'],
  '1/1000': [1, '%'], '1e-6 degree': [6, '°'], mm: [3, 'm'],
}

/** ``unit``: as the evidence has it; "times": thousandths that are a ratio; "clock": minutes of the day; "tasks": bits; "code": a word of the evidence. */
export function shown(value: Value, unit: string): Shown {
  const plain = { zh: '', en: '' }
  if (value === null || value === undefined) return { number: '—', unit: plain }
  if (unit === 'code' && typeof value === 'string') return { number: '', unit: { zh: codeWord(value, 'zh'), en: codeWord(value, 'en') } }
  if (typeof value === 'string') return { number: value, unit: plain }
  if (unit === 'tasks' && typeof value === 'number') return { number: '', unit: { zh: taskWords(value, 'zh'), en: taskWords(value, 'en') } }
  if (unit === '1 = yes' || typeof value === 'boolean') return { number: value ? '✓' : '✗', unit: value ? { zh: '是', en: 'yes' } : { zh: '否', en: 'no' } }
  if (unit === 'clock') return { number: `${two(Math.floor(value / 60))}:${two(value % 60)}`, unit: plain }
  const [places, name] = AS[unit] ?? [0, unit]
  const known = UNITS[name]
  return { number: moved(value, places), unit: known ? { zh: known[0], en: known[1] } : { zh: name, en: name } }
}
