// What is another from one version of an alert to the next.
import type { Schemas } from '@/api/client'

export type Version = Schemas['AlertVersion']

export interface Change {
  /** A field of the alert, "measure:nearest_m" or "limit:radius_m". */
  what: string
  before: unknown
  now: unknown
  unit: string
}

const FIELDS = ['status', 'severity', 'organisation', 'driver', 'order', 'occurred_from', 'occurred_to', 'rule_version'] as const

export function changesOf(before: Version, now: Version): Change[] {
  const found: Change[] = FIELDS.filter((name) => before[name] !== now[name]).map((name) => ({ what: name, before: before[name], now: now[name], unit: '' }))
  for (const name of new Set([...Object.keys(before.measures), ...Object.keys(now.measures)])) {
    const [one, other] = [before.measures[name], now.measures[name]]
    if (one?.value !== other?.value) found.push({ what: `measure:${name}`, before: one?.value, now: other?.value, unit: (other ?? one)?.unit ?? '' })
  }
  for (const name of new Set([...Object.keys(before.parameters), ...Object.keys(now.parameters)])) {
    if (before.parameters[name] !== now.parameters[name]) found.push({ what: `limit:${name}`, before: before.parameters[name], now: now.parameters[name], unit: '' })
  }
  return found
}
