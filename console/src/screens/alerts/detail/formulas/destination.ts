// The nearest that the track came to the destination, against the radius within which one was there.
import { numbers, object, objects } from '../frozen'
import type { Writer } from './parts'

export function destination(w: Writer): void {
  w.condition(w.measure('nearest_m'), '>', w.limit('radius_m', 'm'))
  w.also(
    w.measure('fixes'), w.evidence('destination', 'destination.name', ''), w.evidence('lat', 'destination.lat_e6', '1e-6 degree'),
    w.evidence('lon', 'destination.lon_e6', '1e-6 degree'), w.limit('gap_s', 's'), w.limit('gap_speed_kmh', 'km/h'),
  )
  const fixes = [w.body, ...objects(w.body.legs)].reduce((sum, leg) => sum + numbers(object(leg.track)?.t_us).length, 0)
  w.also(w.computed('track_fixes', fixes, '1'))
}
