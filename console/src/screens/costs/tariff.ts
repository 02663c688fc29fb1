// A tariff in words, as a price list prints it; what a version leaves out is as the API says of it. Pure.
import type { Schemas } from '@/api/client'
import { yuan } from '@/text/amounts'

export type Terms = Schemas['TariffTerms']
type Product = Schemas['ProductTerms']
export type Say = (name: string, values?: Record<string, unknown>) => string

/** What km cost, band by band. */
export function kmWords(distance: NonNullable<Product['distance']>, say: Say): string[] {
  const found = distance.included_km ? [say('included', { km: distance.included_km })] : []
  let from = 0
  for (const band of distance.bands) {
    const end = band.to_km ?? null
    const where = end === null ? (from ? say('beyond', { km: from }) : say('everyKm')) : say('upTo', { from, to: end })
    const parts = [band.flat_fen ? say('flat', { yuan: yuan(band.flat_fen) }) : '', band.fen_per_km ? say(band.counts === 'all' ? 'perKmAll' : from && distance.method === 'last' ? 'perKmBeyond' : 'perKm', { yuan: yuan(band.fen_per_km) }) : '']
    found.push(`${where}${parts.filter(Boolean).join('＋') || say('free')}`)
    from = end ?? from
  }
  return found
}

/** What time costs: of driving, or of waiting. */
export function stepWords(steps: NonNullable<Product['time']>, say: Say): string {
  const [minutes, sum] = [steps.cap_min ?? null, steps.cap_fen ?? null]
  const each = steps.km_per_step ? say('asKm', { km: steps.km_per_step }) : `${yuan(steps.fen_per_step ?? 0)}`
  const cap = minutes === null || sum === null ? '' : say('cap', { minutes, yuan: yuan(sum) })
  return `${steps.free_min ? say('freeMinutes', { minutes: steps.free_min }) : ''}${say('eachStep', { minutes: steps.step_min, price: each })}${say(steps.partial === 'down' ? 'notBegun' : 'begun')}${cap}`
}

export interface PriceRow {
  key: string
  vehicle: string
  areas: string
  product: string
  base: string
  rules: string[]
}
/** One row for each product of a class of vehicles in some areas. */
export function priceRows(terms: Terms, say: Say): PriceRow[] {
  const names = new Map(terms.classes.map((one) => [one.code, one.name]))
  return terms.lines.flatMap((line, at) =>
    line.products.map((product) => ({
      key: `${at} ${product.code}`,
      vehicle: names.get(line.vehicle_class) ?? line.vehicle_class,
      areas: line.areas?.length ? line.areas.map((area) => say(`area.${area}`)).join('、') : say('allAreas'),
      product: product.name,
      base: product.base_fen ? `${yuan(product.base_fen)} ${say(`per.${product.unit ?? 'once'}`)}` : '—',
      rules: [
        ...(typeof product.from_min === 'number' ? [say('fromMinutes', { minutes: product.from_min })] : []),
        ...(product.code === line.default_product ? [say('usual')] : []),
        ...(product.fixed_km ? [say('fixedKm', { km: product.fixed_km })] : []),
        ...(product.distance ? kmWords(product.distance, say) : []),
        ...(product.time ? [`${say('time')}${stepWords(product.time, say)}`] : []),
        ...(product.waiting ? [`${say('waiting')}${stepWords(product.waiting, say)}`] : []),
        ...(line.overnight_fen ? [say('overnight', { yuan: yuan(line.overnight_fen) })] : []),
        ...(line.driver_out_fen ? [say('driverOut', { yuan: yuan(line.driver_out_fen) })] : []),
      ],
    })),
  )
}

/** What holds for all of it: which km count, rounding, holidays, discount. */
export function commonWords(terms: Terms, say: Say): string[] {
  return [
    say(`basis.${terms.km_basis ?? 'base_to_base'}`),
    ...(terms.km?.unit_m && terms.km.unit_m > 1 ? [say('kmRounding', { metres: terms.km.unit_m, how: say(`mode.${terms.km.mode ?? 'half_up'}`) })] : []),
    ...(terms.rounding?.unit_fen && terms.rounding.unit_fen > 1 ? [say('rounding', { yuan: yuan(terms.rounding.unit_fen), how: say(`mode.${terms.rounding.mode ?? 'half_up'}`) })] : []),
    ...(terms.holiday_permille > 1000 ? [say(`holiday.${terms.holiday ?? 'festival'}`, { percent: terms.holiday_permille / 10 })] : []),
    ...(terms.discount_permille ? [say('discount', { percent: terms.discount_permille / 10 })] : []),
    ...(terms.pass_through?.length ? [`${say('passed')}${terms.pass_through.map((kind) => say(`kind.${kind}`)).join('、')}`] : []),
  ]
}
