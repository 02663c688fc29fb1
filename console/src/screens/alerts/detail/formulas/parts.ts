// What the formula of a rule is made of. A quantity says where it stands: "evidence:result.mileage_mm", "measure:nearest_m",
// "limit:radius_m"; only what says "computed" is made here, of such numbers, in integers as the check of the rule does it.
import { at, number, type Frozen } from '../frozen'
import type { Value } from '../quantities'

export interface Judged {
  rule: string
  rule_version: number
  reason_code?: string | null
  measures: Record<string, { value?: Value; unit: string }>
  parameters: Record<string, number>
}

export interface Quantity {
  /** Its name: ``t('alerts.detail.name.<name>')``. */
  name: string
  value: Value
  unit: string
  source: string
}

export type Sign = '≥' | '>' | '≤' | '<' | '='

export interface Condition {
  left: Quantity
  sign: Sign
  right: Quantity
  holds: boolean
}

/** result = terms[0] operator terms[1] operator ... */
export interface Step {
  result: Quantity
  operator: '÷' | '×' | '−' | '+'
  terms: Quantity[]
}

/** A number of the alert, found again in the frozen evidence. */
export interface Check {
  told: Quantity
  again: Value
}

export interface Formula {
  steps: Step[]
  conditions: Condition[]
  others: Quantity[]
  checks: Check[]
}

const HOLDS: Record<Sign, (a: number, b: number) => boolean> = {
  '≥': (a, b) => a >= b, '>': (a, b) => a > b, '≤': (a, b) => a <= b, '<': (a, b) => a < b, '=': (a, b) => a === b,
}

/** Reads the parts of one alert and writes its formula; what the alert or its evidence does not have is left out. */
export class Writer {
  readonly formula: Formula = { steps: [], conditions: [], others: [], checks: [] }

  constructor(
    readonly alert: Judged,
    readonly body: Frozen,
  ) {}

  get version(): number {
    return this.alert.rule_version
  }

  measure(name: string, unit?: string): Quantity | null {
    const found = this.alert.measures[name]
    return found ? { name, value: found.value, unit: unit ?? found.unit, source: `measure:${name}` } : null
  }

  limit(name: string, unit: string): Quantity | null {
    const value = this.alert.parameters[name]
    return value === undefined ? null : { name, value, unit, source: `limit:${name}` }
  }

  evidence(name: string, path: string, unit: string): Quantity | null {
    const value = at(this.body, path)
    if (value === undefined || typeof value === 'object') return null
    return { name, value: value as Value, unit, source: `evidence:${path}` }
  }

  computed(name: string, value: number | null, unit: string): Quantity | null {
    return value === null || !Number.isFinite(value) ? null : { name, value, unit, source: 'computed' }
  }

  condition(left: Quantity | null, sign: Sign, right: Quantity | null): void {
    const [a, b] = [number(left?.value), number(right?.value)]
    if (left && right && a !== null && b !== null) this.formula.conditions.push({ left, sign, right, holds: HOLDS[sign](a, b) })
  }

  step(result: Quantity | null, operator: Step['operator'], ...terms: Array<Quantity | null>): void {
    if (result && terms.every((one) => one !== null)) this.formula.steps.push({ result, operator, terms: terms as Quantity[] })
  }

  also(...some: Array<Quantity | null>): void {
    for (const one of some) if (one && one.value !== null && one.value !== undefined) this.formula.others.push(one)
  }

  /** The alert's number ``name`` is ``again`` by the evidence; null: the evidence does not tell. */
  check(name: string, again: Value | null): void {
    const told = this.measure(name, name === 'ratio_permille' ? 'times' : undefined)
    if (told && again !== null && again !== undefined) this.formula.checks.push({ told, again })
  }
}

export const floor = (value: number, by: number): number => Math.floor(value / by)
