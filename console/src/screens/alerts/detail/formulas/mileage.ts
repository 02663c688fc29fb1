// Driven against the way of the navigation: 1.5 times and more. What was bridged accuses nobody, so it is taken off first.
import { number, object } from '../frozen'
import { floor, type Writer } from './parts'

export function mileage(w: Writer): void {
  const result = object(w.body.result) ?? {}
  const [driven, bridged, way] = [number(result.mileage_mm), number(result.bridged_mm), number(object(w.body.route)?.distance_m)]
  const limit = w.alert.parameters.ratio_permille
  w.step(w.measure('ratio_permille', 'times'), '÷', w.measure('mileage_m'), w.measure('navigation_m'))
  w.condition(w.measure('ratio_permille', 'times'), '≥', w.limit('ratio_permille', 'times'))
  // Before version 2 of the rule what was bridged counted.
  if (w.version > 1 && driven !== null && bridged !== null && way !== null && limit !== undefined) {
    // mm / m >= permille / 1000, so mm >= permille * m: as the check compares.
    w.step(w.computed('seen_mm', driven - bridged, 'mm'), '−', w.evidence('mileage_mm', 'result.mileage_mm', 'mm'), w.evidence('bridged_mm', 'result.bridged_mm', 'mm'))
    w.step(w.computed('most_mm', limit * way, 'mm'), '×', w.evidence('navigation_m', 'route.distance_m', 'm'), w.limit('ratio_permille', 'times'))
    w.condition(w.computed('seen_mm', driven - bridged, 'mm'), '≥', w.computed('most_mm', limit * way, 'mm'))
  }
  w.also(
    w.measure('bridged_m'), w.measure('odometer_m'), w.measure('odometer_differs'), w.measure('odometer_fault'), w.measure('local_m'), w.measure('fixes'),
    w.evidence('engine', 'route.engine', ''), w.evidence('map_date', 'route.map_date', ''), w.limit('short_trip_m', 'm'), w.limit('local_radius_m', 'm'),
    w.limit('odometer_differs_permille', '1/1000'),
  )
  w.check('mileage_m', driven === null ? null : floor(driven, 1000))
  w.check('bridged_m', bridged === null ? null : floor(bridged, 1000))
  w.check('navigation_m', way)
  w.check('ratio_permille', driven === null || !way ? null : floor(driven, way))
  w.check('fixes', number(result.fixes))
  w.check('odometer_m', number(result.odometer_m))
}
