// How long a vehicle stood outside its place in the night, less what orders, the shop and seals cover.
import { number } from '../frozen'
import type { Writer } from './parts'

export function parking(w: Writer): void {
  const least = number(w.alert.parameters.min_stand_min)
  const least_s = w.computed('least_s', least === null ? null : least * 60, 's')
  w.condition(w.measure('stood_s'), '≥', least_s)
  w.also(
    w.measure('beyond_m'), w.limit('min_stand_min', 'min'), w.limit('margin_m', 'm'), w.limit('max_gap_min', 'min'), w.limit('night_from_min', 'clock'), w.limit('night_to_min', 'clock'),
    w.evidence('night', 'night', ''),
  )
}
