// Litres (or kWh) per 100 km of the month against those of the months before: 15 % more and above.
import { number, objects, type Frozen } from '../frozen'
import { floor, type Writer } from './parts'

interface Sums {
  quantity: number
  mm: number
  fills: number
}

function sums(months: Frozen[], vehicles: Set<unknown> | null): Sums {
  const mine = (one: Frozen): boolean => vehicles === null || vehicles.has(one.vehicle)
  const orders = months.flatMap((month) => objects(month.orders)).filter(mine)
  const fills = months.flatMap((month) => objects(month.fills)).filter(mine)
  return {
    quantity: fills.reduce((sum, one) => sum + (number(one.quantity) ?? 0), 0),
    mm: orders.reduce((sum, one) => sum + (number(one.mileage_mm) ?? 0), 0),
    fills: fills.filter((one) => number(one.quantity)).length,
  }
}

/** The month so many months before, "2026-02" of "2026-03". */
export function monthBefore(month: string, months: number): string {
  const index = Number(month.slice(0, 4)) * 12 + Number(month.slice(5)) - 1 - months
  return `${String(Math.floor(index / 12)).padStart(4, '0')}-${String((index % 12) + 1).padStart(2, '0')}`
}

/** The vehicles of the class that was driven in the month; null: there is one class, or (undefined) several were. */
function ofClass(body: Frozen, current: Frozen): Set<unknown> | null | undefined {
  const groups = new Map(objects(body.vehicles).map((one) => [one.id, one.group]))
  const driven = new Set([...objects(current.orders), ...objects(current.fills)].map((one) => groups.get(one.vehicle) ?? `vehicle:${String(one.vehicle)}`))
  if (driven.size > 1) return undefined
  if (body.rule_version === 1) return null // it knew no classes
  const [wanted] = driven
  const every = objects(body.months).flatMap((month) => [...objects(month.orders), ...objects(month.fills)]).map((one) => one.vehicle)
  return new Set(every.filter((id) => (groups.get(id) ?? `vehicle:${String(id)}`) === wanted))
}

export function fuelConsumption(w: Writer): void {
  const unit = w.body.energy === 'electric' ? 'Wh/100 km' : 'ml/100 km'
  w.step(w.measure('current_consumption', unit), '÷', w.measure('current_quantity'), w.measure('current_mileage_m'))
  w.step(w.measure('baseline_consumption', unit), '÷', w.measure('baseline_quantity'), w.measure('baseline_mileage_m'))
  w.step(w.measure('ratio_permille', 'times'), '÷', w.measure('current_consumption', unit), w.measure('baseline_consumption', unit))
  w.condition(w.measure('ratio_permille', 'times'), '≥', w.limit('ratio_permille', 'times'))
  w.condition(w.measure('baseline_months', 'month'), '≥', w.limit('baseline_months', 'month'))
  const km = w.limit('min_km', 'km')
  const least = km && { ...km, value: Number(km.value) * 1000, unit: 'm', source: 'computed' }
  w.condition(w.measure('current_mileage_m'), '≥', least)
  w.condition(w.measure('baseline_mileage_m'), '≥', least)
  w.condition(w.measure('current_fills'), '≥', w.limit('min_fills', '1'))
  w.condition(w.measure('baseline_fills'), '≥', w.limit('min_fills', '1'))
  w.also(
    w.measure('current_least'), w.measure('baseline_most'), w.measure('last_year_consumption'), w.measure('left_out_fills'),
    w.measure('vehicles_not_driven_before'), w.measure('classes'), w.measure('all_quantity'), w.measure('all_mileage_m'),
    w.limit('min_coverage_permille', '1/1000'), w.limit('gap_speed_kmh', 'km/h'), w.limit('tank_default_l', 'l'), w.limit('battery_default_kwh', 'kWh'),
  )

  const month = String(w.body.month)
  const months = objects(w.body.months)
  const current = months.find((one) => one.month === month)
  const count = w.alert.parameters.baseline_months
  if (!current || count === undefined) return
  const before = months.filter((one) => String(one.month) < month && String(one.month) >= monthBefore(month, count))
  const vehicles = ofClass(w.body, current)
  if (vehicles === undefined) return
  const [now, base] = [sums([current], vehicles), sums(before, vehicles)]
  for (const [side, its] of [['current', now], ['baseline', base]] as const) {
    w.check(`${side}_quantity`, its.quantity)
    w.check(`${side}_mileage_m`, floor(its.mm, 1000))
    w.check(`${side}_fills`, its.fills)
  }
  // What the tanks held is known: then what was burnt is not what was bought.
  const levels = objects(w.body.vehicles).some((one) => Array.isArray(one.levels) && one.levels.filter((level) => level !== null).length > 1)
  if (levels || !now.mm || !base.mm || !base.quantity) return
  const per100 = (its: Sums): number => Number((2n * BigInt(its.quantity) * 100_000_000n + BigInt(its.mm)) / (2n * BigInt(its.mm)))
  w.check('current_consumption', per100(now))
  w.check('baseline_consumption', per100(base))
  w.check('ratio_permille', Number((1000n * BigInt(now.quantity) * BigInt(base.mm)) / (BigInt(base.quantity) * BigInt(now.mm))))
}
