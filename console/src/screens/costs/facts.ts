// What the platform says of a trip that no record says (结算要素): as it is typed, and as it is sent. Pure.
import type { Entered } from '@/components/dialogField'
import { thousandths, thousandthsOf, wholeOf } from '@/text/amounts'

import type { Facts } from './statements'

export const FACTS = ['product', 'vehicle_class', 'area', 'waiting_min', 'overnights', 'days_outside', 'count', 'distance_m', 'reason'] as const
export type FactName = (typeof FACTS)[number]
const NUMBERS: readonly FactName[] = ['waiting_min', 'overnights', 'days_outside', 'count']
/** What is nothing is 0 of these, and null of the others. */
const ZEROS: readonly FactName[] = ['waiting_min', 'overnights', 'days_outside']

/** In the form: what is nothing is empty. */
export const factsEntered = (facts: Facts): Entered =>
  Object.fromEntries(FACTS.map((name) => {
    const value = facts[name]
    return [name, value === null || (value === 0 && ZEROS.includes(name)) ? '' : name === 'distance_m' ? thousandths(Number(value)) : String(value)]
  }))

/** As it is sent, and the fields that are no numbers. */
export function factsOf(entered: Record<string, unknown>): { body: Facts; flaws: FactName[] } {
  const flaws: FactName[] = []
  const body = Object.fromEntries(FACTS.map((name) => {
    const text = typeof entered[name] === 'string' ? entered[name].trim() : ''
    if (text === '') return [name, ZEROS.includes(name) ? 0 : null]
    if (!NUMBERS.includes(name) && name !== 'distance_m') return [name, text]
    const value = name === 'distance_m' ? thousandthsOf(text) : wholeOf(text)
    if (value === null) flaws.push(name)
    return [name, value]
  }))
  return { body: body as unknown as Facts, flaws }
}
