// Kilometres of the night, or of a day off, that no order allows.
import { number } from '../frozen'
import type { Writer } from './parts'

export function offHours(w: Writer): void {
  const [whole, bridged] = [number(w.alert.measures.distance_m?.value), number(w.alert.measures.bridged_m?.value)]
  if (w.version === 1) w.condition(w.measure('distance_m'), '≥', w.limit('min_distance_m', 'm')) // what was bridged counted
  else if (whole !== null && bridged !== null) {
    const seen = w.computed('seen_m', whole - bridged, 'm')
    w.step(seen, '−', w.measure('distance_m'), w.measure('bridged_m'))
    w.condition(seen, '≥', w.limit('min_distance_m', 'm'))
  }
  w.also(
    w.measure('night_m'), w.measure('day_m'), w.measure('driving_s'), w.measure('positions'), w.evidence('day_positions', 'day_positions', '1'),
    w.evidence('day', 'day.date', ''), w.evidence('worked', 'day.worked', '1 = yes'), w.evidence('day_name', 'day.name', ''),
    w.limit('night_from_min', 'clock'), w.limit('night_to_min', 'clock'), w.limit('allowed_types', 'tasks'),
  )
  const [night, rest] = [number(w.alert.measures.night_m?.value), number(w.alert.measures.day_m?.value)]
  if (night !== null && rest !== null) w.check('distance_m', w.body.day && (w.body.day as { worked?: unknown }).worked === null ? night : night + rest)
}
