// The formula of each rule.
import type { Frozen } from '../frozen'
import { cardBinding } from './card_binding'
import { cardUse } from './card_use'
import { destination } from './destination'
import { fuelConsumption } from './fuel_consumption'
import { idleRental } from './idle_rental'
import { location } from './location'
import { mileage } from './mileage'
import { offHours } from './off_hours'
import { parking } from './parking'
import { Writer, type Formula, type Judged } from './parts'
import { refuelFrequency } from './refuel_frequency'
import { route } from './route'
import { sealed } from './sealed'
import { tank } from './tank'
import { terminalSilent } from './terminal_silent'
import { trafficViolations } from './traffic_violations'

const RULES: Record<string, (w: Writer) => void> = {
  location, destination, mileage, fuel_consumption: fuelConsumption, card_binding: cardBinding, card_use: cardUse,
  refuel_frequency: refuelFrequency, traffic_violations: trafficViolations, terminal_silent: terminalSilent, off_hours: offHours, sealed, tank,
  parking, route, idle_rental: idleRental,
}

/** The formula of an alert with its evidence ({}: not there yet, or not to be had). What a rule of tomorrow has is still shown, as a list. */
export function formulaOf(alert: Judged, body: Frozen): Formula {
  const w = new Writer(alert, body)
  RULES[alert.rule]?.(w)
  if (Object.keys(body).length === 0) w.formula.checks.length = 0
  const named = new Set([
    ...w.formula.conditions.flatMap((one) => [one.left.source, one.right.source]),
    ...w.formula.steps.flatMap((one) => [one.result.source, ...one.terms.map((term) => term.source)]),
    ...w.formula.others.map((one) => one.source),
  ])
  for (const name of Object.keys(alert.measures)) if (!named.has(`measure:${name}`)) w.also(w.measure(name))
  for (const name of Object.keys(alert.parameters)) if (!named.has(`limit:${name}`)) w.also(w.limit(name, unitOf(name)))
  return w.formula
}

const ENDINGS: ReadonlyArray<readonly [RegExp, string]> = [
  [/_l_100km$/, 'l/100 km'], [/_ml_h$/, 'ml/h'], [/_permille$/, '1/1000'], [/_kmh$/, 'km/h'], [/_min$/, 'min'], [/_days$/, 'd'], [/_km$/, 'km'], [/_kwh$/, 'kWh'], [/_m$/, 'm'], [/_s$/, 's'], [/_h$/, 'h'], [/_l$/, 'l'],
]

/** The unit that the name of a parameter ends with. */
export function unitOf(name: string): string {
  return ENDINGS.find(([ending]) => ending.test(name))?.[1] ?? '1'
}
