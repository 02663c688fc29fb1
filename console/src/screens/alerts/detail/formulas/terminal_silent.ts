// How long the terminal showed nothing, what happened meanwhile, and whether others were seen at the time.
import { number, object, objects, type Frozen } from '../frozen'
import { floor, type Writer } from './parts'

const MINUTE_US = 60_000_000

const minutes = (silence: Frozen): number | null => {
  const before = Array.isArray(silence.before) ? (silence.before.at(-1) as number[] | undefined) : undefined
  const end = number(silence.to_us)
  return before?.[0] === undefined || end === null ? null : floor(end - before[0], MINUTE_US)
}

export function terminalSilent(w: Writer): void {
  w.condition(w.measure('silence_min'), '≥', w.limit('min_silence_min', 'min'))
  const reason = w.alert.reason_code
  if (reason === 'odometer') w.condition(w.measure('odometer_m'), '≥', w.limit('min_displacement_m', 'm'))
  else if (reason !== 'unplugged') w.condition(w.measure('displacement_m'), '≥', w.limit('min_displacement_m', 'm'))
  w.condition(w.measure('peers_reporting'), '≥', w.limit('min_peers', '1'))
  const [seen, silent] = [number(w.alert.measures.peers_reporting?.value), number(w.alert.measures.peers_silent?.value)]
  if (seen !== null && silent !== null && seen + silent > 0) {
    w.condition(w.computed('peers_share', floor(seen * 1000, seen + silent), '1/1000'), '≥', w.limit('peers_permille', '1/1000'))
  }
  w.also(
    w.measure('silences'), w.measure('unplugged'), w.measure('unplugged_silences'), w.measure('displacement_m'), w.measure('odometer_m'),
    w.measure('ordered_min'), w.measure('reports_without_fix'), w.measure('peers_silent'), w.measure('contradictions'),
    w.measure('contradiction_odometer_m'), w.measure('contradiction_moved_m'), w.evidence('day_positions', 'day_positions', '1'),
  )
  const told = number(w.alert.measures.silence_min?.value)
  const silences = objects(w.body.silences)
  const same = silences.find((one) => minutes(one) === told && (reason !== 'unplugged' || one.unplugged === true))
  // Of several short ones the sum is told, of one that goes on the least that is known.
  if (w.alert.measures.unplugged_silences || silences.some((one) => one.to_us === null)) return
  w.check('silence_min', same ? told : 'none')
  const peers = silences.map((one) => object(one.peers)).filter((one) => one !== null)
  w.check('peers_reporting', peers.some((one) => one.reporting === seen) ? seen : peers.length ? 'none' : null)
  w.check('peers_silent', peers.some((one) => one.silent === silent) ? silent : peers.length ? 'none' : null)
}
