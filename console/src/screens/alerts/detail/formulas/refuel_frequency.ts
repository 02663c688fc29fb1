// How often a card was filled between two orders.
import { number, objects, text } from '../frozen'
import type { Writer } from './parts'

export function refuelFrequency(w: Writer): void {
  w.condition(w.measure('fills'), '≥', w.limit('min_fills', '1'))
  w.also(
    w.measure('payments'), w.measure('without_time'), w.measure('fuel_quantity'), w.measure('electric_quantity'), w.measure('amount_fen'),
    w.limit('merge_min', 'min'), w.limit('count_charging', '1 = yes'),
  )
  const rows = objects(w.body.transactions)
  if (!rows.every((row) => text(row.why) !== null)) return
  const begins = (row: { why?: unknown }, ...codes: string[]): boolean => codes.some((code) => String(row.why).startsWith(code))
  const [counted, paid] = [rows.filter((row) => begins(row, 'counted', '计入')), rows.filter((row) => begins(row, 'counted', 'merged', '计入', '并入', '合并'))]
  w.check('fills', counted.length)
  w.check('payments', paid.length)
  for (const [name, energy] of [['fuel_quantity', 'fuel'], ['electric_quantity', 'electric']] as const) {
    w.check(name, paid.filter((row) => row.energy === energy).reduce((sum, row) => sum + (number(row.quantity) ?? 0), 0))
  }
  w.check('amount_fen', paid.reduce((sum, row) => sum + (number(row.amount_fen) ?? 0), 0))
}
