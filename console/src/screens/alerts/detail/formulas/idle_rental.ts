// How many suitable own vehicles stood idle during a rental.
import { objects } from '../frozen'
import type { Writer } from './parts'

export function idleRental(w: Writer): void {
  w.condition(w.measure('idle'), '≥', w.limit('min_idle', '1'))
  w.also(w.measure('rented_s'), w.evidence('rental_number', 'rental.number', ''), w.limit('max_gap_min', 'min'), w.limit('margin_m', 'm'))
  w.check('idle', objects(w.body.cars).length)
}
