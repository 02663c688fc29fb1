// What was filled against what the tank holds, and against what was burnt since the fill before.
import { at, number } from '../frozen'
import { floor, type Writer } from './parts'

export function tank(w: Writer): void {
  const value = (name: string): number | null => number(w.alert.measures[name]?.value)
  const [holds, tolerance] = [value('tank'), number(w.alert.parameters.tolerance_permille)]
  const most = holds === null || tolerance === null ? null : floor(holds * (1000 + tolerance), 1000)
  const [filled, before, burnt] = [value('quantity'), value('before'), value('burnt')]
  if (w.alert.reason_code === 'over_tank') w.condition(w.measure('quantity'), '>', w.computed('tank_most', most, 'ml'))
  else if (filled !== null && before !== null && burnt !== null && most !== null) {
    const [both, room] = [w.computed('filled_both', filled + before, 'ml'), w.computed('room', most + burnt, 'ml')]
    w.step(both, '+', w.measure('before'), w.measure('quantity'))
    w.step(room, '+', w.computed('tank_most', most, 'ml'), w.measure('burnt'))
    w.condition(both, '>', room)
  }
  w.also(w.measure('tank'), w.measure('distance_m'), w.limit('burn_l_100km', 'l/100 km'), w.limit('idle_ml_h', 'ml/h'))
  const told = (path: string): number | null => number(at(w.body, path))
  const [track, idle] = [told('driven.track_m'), told('driven.idle_s')]
  if (track === null || idle === null) return
  const metres = Math.max(told('driven.odometer_m') ?? 0, track)
  w.check('distance_m', metres)
  const [way, hour] = [number(w.alert.parameters.burn_l_100km), number(w.alert.parameters.idle_ml_h)]
  if (way !== null && hour !== null) w.check('burnt', floor(metres * way, 100) + floor(idle * hour, 3600))
}
