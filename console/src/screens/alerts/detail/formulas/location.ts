// Outside its fence, without an order: how far, against the displacement that counts.
import { numbers, object, objects } from '../frozen'
import type { Writer } from './parts'

export function location(w: Writer): void {
  w.condition(w.measure('farthest_m'), '≥', w.limit('min_displacement_m', 'm'))
  const times = numbers(object(w.body.track)?.t_us)
  const start = times[0]
  const covering = start === undefined ? null : objects(w.body.orders).filter((one) => Number(one.from_us) <= start && start < Number(one.to_us)).length
  w.also(
    w.measure('distance_m'), w.measure('bridged_m'), w.measure('fixes'), w.measure('terminals_apart_m'),
    w.limit('episode_idle_min', 'min'), w.limit('early_start_min', 'min'),
  )
  w.also(w.computed('track_fixes', times.length, '1'), w.computed('orders_at_start', covering, '1'))
}
