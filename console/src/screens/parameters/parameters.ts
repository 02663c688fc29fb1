// What the screens of parameters ask of the API, and which value holds for whom.
import { api, ask, type Schemas } from '@/api/client'
import type { Unit, UnitNode } from '@/composables/useUnits'
import { RULES } from '@/screens/alerts/alerts'
import { addDays } from '@/text/time'

export type Known = Schemas['DefaultParameter']
export type Stored = Schemas['StoredParameter']
export type All = Schemas['Parameters']

/** Parameters that rules share, and deadlines: no rule of their own, so that nothing can be tried with them. */
export const SHARED = ['order', 'track', 'terminal', 'supervision', 'reminder'] as const
export const GROUPS: readonly string[] = [...RULES, ...SHARED]

export const allParameters = (): Promise<All> => ask(api.GET('/v1/rule-parameters', { params: { query: {} } }))

export type Change = Pick<Stored, 'rule' | 'name' | 'organisation' | 'value' | 'effective_from' | 'source'>

export const putInForce = (change: Change) => ask(api.PUT('/v1/rule-parameters', { body: change }))

export const takeBack = ({ rule, name, organisation, effective_from }: Stored) =>
  ask(api.DELETE('/v1/rule-parameters', { params: { query: { rule, name, effective_from, organisation: organisation ?? undefined } } }))

/** The rule that can be tried with a parameter; null: none. */
export function triedBy(rule: string, name: string): string | null {
  if ((RULES as readonly string[]).includes(rule)) return rule
  return rule === 'order' && name === 'early_start_min' ? 'location' : null
}

export interface InForce {
  value: number
  /** Who set it: a unit, null = everyone; undefined: nobody, it is the default. */
  by: string | null | undefined
  since: string | null
}

/** The unit and those above it, the nearest first. */
export function lineOf(units: readonly Unit[], id: string | undefined): string[] {
  const parents = new Map(units.map((unit) => [unit.id, unit.parent]))
  const line: string[] = []
  for (let at: string | null | undefined = id; at && !line.includes(at); at = parents.get(at)) line.push(at)
  return line
}

/**
 * What holds at ``now`` for the last unit of a line (``lineOf``), or for everyone (an empty line). The nearest unit that has set a value counts,
 * whatever the dates; of one unit the newest; then what everyone has; then the default.
 */
export function inForce(known: Known, items: readonly Stored[], line: readonly string[], now: number): InForce {
  const mine = items.filter((one) => one.rule === known.rule && one.name === known.name && Date.parse(one.effective_from) <= now)
  for (const unit of [...line, null]) {
    let newest: Stored | undefined
    for (const one of mine) {
      if (one.organisation === unit && (!newest || Date.parse(one.effective_from) > Date.parse(newest.effective_from))) newest = one
    }
    if (newest) return { value: newest.value, by: unit, since: newest.effective_from }
  }
  return { value: known.default, by: undefined, since: null }
}

/** The units in the order of the tree, with how deep each stands. */
export function flattened(nodes: readonly UnitNode[], depth = 0): Array<Unit & { depth: number }> {
  return nodes.flatMap((node) => [{ id: node.id, name: node.name, parent: node.parent, depth }, ...flattened(node.children, depth + 1)])
}

/** The whole month before the one of ``today``. */
export function lastMonth(today: string): { from: string; to: string } {
  const to = addDays(`${today.slice(0, 7)}-01`, -1)
  return { from: `${to.slice(0, 7)}-01`, to }
}

export type Kind = 'flag' | 'clock' | 'types' | 'permille' | 'plain'

/** How a value of a unit is read and typed. */
export function kindOf(unit: string): Kind {
  if (unit.startsWith('1 = ')) return 'flag'
  if (unit === 'minute of the day') return 'clock'
  if (unit === 'bitmask') return 'types'
  return unit === '1/1000' ? 'permille' : 'plain'
}

/** What stands for each bit of off_hours.allowed_types. */
export const TYPES = ['official', 'repair', 'inspection', 'car_wash', 'emergency', 'tow'] as const

export const typesOf = (value: number): string[] => TYPES.filter((_, bit) => Math.floor(value / 2 ** bit) % 2 === 1)

const two = (value: number): string => String(value).padStart(2, '0')
export const clock = (minutes: number): string => `${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`

/** What was typed as the integer that the rule uses; null: none. Permille also as 1.5倍 or 150%, a minute of the day also as 22:30. */
export function parseValue(text: string, unit: string): number | null {
  const plain = text.normalize('NFKC').trim().replace(/,/g, '')
  const kind = kindOf(unit)
  const time = /^(\d{1,2}):(\d{2})$/.exec(plain)
  if (kind === 'clock' && time) {
    const [hours, minutes] = [Number(time[1]), Number(time[2])]
    return hours < 24 && minutes < 60 ? hours * 60 + minutes : null
  }
  const share = /^(\d+)(?:\.(\d+))?\s*(倍|%)$/.exec(plain)
  if (kind === 'permille' && share) {
    const digits = share[3] === '%' ? 1 : 3
    const rest = (share[2] ?? '').replace(/0+$/, '')
    // By digits, never by floats: 1.001倍 is 1001 exactly.
    return rest.length > digits ? null : Number(`${share[1]}${rest.padEnd(digits, '0')}`)
  }
  return /^-?\d{1,9}$/.test(plain) ? Number(plain) : null
}
