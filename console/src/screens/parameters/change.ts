// A proposed change as it is typed, and what is wrong with it. Apart from the page so that it can be tested.
import type { ApiProblem } from '@/api/problem'
import { MOST_DAYS } from '@/screens/backtests/backtests'
import { addDays } from '@/text/time'

import { parseValue, type Known } from './parameters'

export interface Typed {
  /** '' = none is chosen, EVERYONE = all units. */
  organisation: string
  value: string
  /** Days; '' = none. */
  effective: string
  basis: string
  from: string
  to: string
}
export type Field = keyof Typed

/** No unit has this id: ids have no spaces. */
export const EVERYONE = ' everyone '

/** Keys of texts by field. ``trying``: only what a backtest needs; else what is written. */
export function flawsOf(typed: Typed, known: Known, trying: boolean, today: string): Partial<Record<Field, string>> {
  const found: Partial<Record<Field, string>> = {}
  if (typed.organisation === '') found.organisation = 'chooseUnit'
  const value = parseValue(typed.value, known.unit)
  if (typed.value.trim() === '') found.value = 'needValue'
  else if (value === null) found.value = 'badValue'
  else if (value < known.minimum || value > known.maximum) found.value = 'outOfRange'
  if (!trying) {
    if (typed.effective === '') found.effective = 'needDay'
    if (typed.basis.trim() === '') found.basis = 'needBasis'
    return found
  }
  if (typed.from === '') found.from = 'needPeriod'
  if (typed.to === '') found.to = 'needPeriod'
  else if (typed.to > today) found.to = 'periodFuture'
  else if (typed.from && typed.to < typed.from) found.to = 'periodBackwards'
  else if (typed.from && typed.to > addDays(typed.from, MOST_DAYS - 1)) found.to = 'periodLong'
  return found
}

const POINTERS: ReadonlyArray<[RegExp, Field]> = [
  [/^\/?(value|parameters)(\/|$)/, 'value'], [/^\/?organisation/, 'organisation'], [/^\/?effective_from/, 'effective'], [/^\/?source/, 'basis'], [/^\/?from/, 'from'], [/^\/?to(\/|$)/, 'to'],
]

/** What the server refused, by the field that it is about. */
export function refusedFields(problem: ApiProblem | null): Partial<Record<Field, string>> {
  const found: Partial<Record<Field, string>> = {}
  for (const one of problem?.errors ?? []) {
    const field = POINTERS.find(([pattern]) => pattern.test(one.pointer ?? one.field ?? ''))?.[1]
    if (field && found[field] === undefined) found[field] = one.message
  }
  return found
}
