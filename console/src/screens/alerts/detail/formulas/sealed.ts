// How far a sealed vehicle drove from where it stood.
import type { Writer } from './parts'

export function sealed(w: Writer): void {
  w.condition(w.measure('away_m'), '≥', w.limit('min_displacement_m', 'm'))
  w.also(w.measure('fixes'), w.evidence('sealed_why', 'seal.reason', ''), w.limit('grace_min', 'min'), w.limit('allowed_types', 'tasks'))
}
