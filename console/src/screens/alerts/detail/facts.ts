// The facts of evidence as tables: one a part, a row for each thing, a column for each thing that is known of it.
import { cellTime } from '@/text/time'

import { codeWord, hasCodes } from './codes'
import { moment, object, objects, type Frozen } from './frozen'
import { shown } from './quantities'

export interface Cell {
  name: string
  text: string
}

export interface Fact {
  part: string
  columns: string[]
  rows: string[][]
}

/** The parts that are facts for people, in the order in which they are read. */
const PARTS = [
  'day', 'month', 'vehicle', 'driver', 'order', 'next_order', 'orders', 'origin', 'destination', 'destinations', 'return_point', 'result', 'transaction',
  'transactions', 'card', 'binding', 'station', 'vehicles', 'violations', 'silences', 'contradictions', 'legs',
] as const
/** For programs. */
const HIDDEN = new Set(['no', 'wkb', 'polygons', 'shape', 'packed', 'group', 'levels', 'fences', 'track', 'before', 'after', 'edges', 'orders', 'peers', 'capacity', 'state', 'parameters', 'parameter_rows', 'rule', 'rule_version', 'subject', 'places', 'route', 'result', 'order_no', 'vehicle_no'])

const UNITS: Record<string, string> = { amount_fen: 'fen', fine_fen: 'fen', lat_e6: '1e-6 degree', lon_e6: '1e-6 degree', mileage_mm: 'mm', bridged_mm: 'mm', odometer_m: 'm', moved_m: 'm' }

function cell(name: string, value: unknown, row: Frozen, language: 'zh' | 'en'): string {
  if (value === null || value === undefined || value === '') return '—'
  if (name.endsWith('_us')) {
    const at = moment(value)
    return at === null ? '—' : cellTime(at, true)
  }
  if (name === 'why' && typeof value === 'string') return value.includes(' · ') ? (value.split(' · ')[language === 'en' ? 1 : 0] ?? value) : value
  if (hasCodes(name) && typeof value === 'string') return codeWord(value, language)
  const unit = name === 'quantity' ? (row.energy === 'electric' ? 'Wh' : 'ml') : UNITS[name]
  if (typeof value === 'boolean') return shown(value, '1 = yes').unit[language]
  if (unit && typeof value === 'number') {
    const told = shown(value, unit)
    return `${told.number} ${told.unit[language]}`.trim()
  }
  const inner = object(value)
  if (inner) return [inner.plate, inner.name, inner.id].filter((one) => typeof one === 'string' && one !== '').join(' ')
  return Array.isArray(value) ? '' : String(value)
}

/** Name of a column: "at" of "at_us". */
export const fieldOf = (name: string): string => (name.endsWith('_us') ? name.slice(0, -3) : name)

function table(part: string, rows: Frozen[], language: 'zh' | 'en'): Fact | null {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))].filter((name) => !HIDDEN.has(name))
  const told = names.map((name) => ({ name, cells: rows.map((row) => cell(name, row[name], row, language)) })).filter((one) => one.cells.some((text) => text !== '—' && text !== ''))
  if (told.length === 0) return null
  return { part, columns: told.map((one) => fieldOf(one.name)), rows: rows.map((_, k) => told.map((one) => one.cells[k] as string)) }
}

/** Rows of one kind as one table each; what the evidence does not have is left out. */
export function factsOf(body: Frozen, language: 'zh' | 'en'): Fact[] {
  const found: Fact[] = []
  for (const part of PARTS) {
    const value = body[part]
    const rows = part === 'month' && typeof value === 'string' ? [{ date: value }] : Array.isArray(value) ? objects(value) : [object(value)].filter((one): one is Frozen => one !== null)
    const made = rows.length ? table(part, rows, language) : null
    if (made) found.push(made)
  }
  // A driver's months: trips and fills of each.
  for (const month of objects(body.months)) {
    for (const [part, rows] of [['orders', objects(month.orders)], ['transactions', [...objects(month.fills), ...objects(month.left_out)]]] as const) {
      const made = rows.length ? table(part, rows.map((row) => ({ ...row })), language) : null
      if (made) found.push({ ...made, part: `${part} ${String(month.month)}` })
    }
  }
  return found
}
