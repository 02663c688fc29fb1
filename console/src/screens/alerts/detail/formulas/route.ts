// How far was driven outside the corridor of the designated route in one stretch.
import { object } from '../frozen'
import type { Writer } from './parts'

export function route(w: Writer): void {
  const line = object(w.body.route)?.line
  const points = Array.isArray(line) ? line.length : 0
  w.condition(w.measure('off_route_m'), '>', w.limit('off_route_m', 'm'))
  w.also(
    w.measure('furthest_m'), w.limit('corridor_m', 'm'), w.measure('fixes'), w.limit('detour_m', 'm'), w.limit('detour_permille', '1/1000'), w.limit('stop_min', 'min'),
    w.limit('gap_s', 's'), w.limit('gap_speed_kmh', 'km/h'), w.computed('route_points', points, '1'),
  )
}
