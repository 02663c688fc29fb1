// How near the vehicle came to the station in the minutes around the fill, and whether it stopped there.
import { number, numbers, object } from '../frozen'
import { floor, type Writer } from './parts'

export function cardUse(w: Writer): void {
  const station = object(w.body.station) ?? {}
  const reach = station.polygons ? w.limit('polygon_margin_m', 'm') : w.limit('station_radius_m', 'm')
  const passed = w.alert.reason_code === 'passed'
  if (passed) {
    w.condition(w.measure('nearest_m'), '≤', reach)
    // Nothing that says how long: it did not stop for certain at all.
    w.condition(w.measure('stop_s') ?? w.computed('stop_s', 0, 's'), '<', w.limit('min_stop_s', 's'))
  } else w.condition(w.measure('nearest_m'), '>', reach)
  w.condition(w.measure('coverage_permille'), '≥', w.limit('min_coverage_permille', '1/1000'))
  w.also(
    w.limit('window_min', 'min'), w.measure('at_off_s'), w.measure('at_distance_m'), w.measure('at_lat_e6'), w.measure('at_lon_e6'), w.measure('fixes'),
    w.evidence('quantity', 'transaction.quantity', w.body.transaction && object(w.body.transaction)?.energy === 'electric' ? 'Wh' : 'ml'),
    w.evidence('amount_fen', 'transaction.amount_fen', 'fen'), w.limit('stop_kmh', 'km/h'), w.limit('gap_s', 's'), w.limit('gap_speed_kmh', 'km/h'),
  )
  const track = object(w.body.track)
  const paid = number(object(w.body.transaction)?.at_us)
  const [lat, lon] = [number(w.alert.measures.at_lat_e6?.value), number(w.alert.measures.at_lon_e6?.value)]
  if (!track || paid === null || lat === null || lon === null) return
  const [times, lats, lons] = [numbers(track.t_us), numbers(track.lat_e6), numbers(track.lon_e6)]
  const there = times.filter((_, k) => lats[k] === lat && lons[k] === lon).map((t) => floor(Math.abs(t - paid), 1_000_000))
  w.check('at_off_s', there.length ? Math.min(...there) : 'none')
}
