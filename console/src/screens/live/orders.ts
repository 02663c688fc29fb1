// What order each vehicle has, and what that means at a moment: on it, overdue, moving without one, or resting in off hours. Pure.
import type { Look } from '@/components/map/mercator'

import type { Roster } from './stream'

/** In the order in which they stand above the list, and by which looks are numbered. */
export const ORDER_STATES = ['sealedMoving', 'unordered', 'overdue', 'onOrder', 'sealed', 'free'] as const
export type OrderState = (typeof ORDER_STATES)[number]
/** From this speed on a vehicle is said to move: below it positions tremble. As in rules/tracks/kernel.py. */
export const MOVING_KMH = 5

export interface OrderOf {
  order: string
  destination: string
  /** It covers the vehicle [from, until); should be back at due; is overdue from then on (null: it is not out). Seconds since 1970 UTC. */
  fromS: number
  untilS: number
  dueS: number
  overdueS: number | null
  /** Whether it allows a drive in off hours. */
  allowed: boolean
}

/** An answer of GET /v1/live/orders. */
export interface OrdersAnswer {
  as_of: string
  mark: string
  whole: boolean
  vehicles: string[]
  orders: string[]
  destinations: string[]
  from_s: number[]
  until_s: number[]
  due_s: number[]
  overdue_s: (number | null)[]
  allowed: boolean[]
  gone: string[]
  resting_units: string[]
}

/** What was known, with an answer taken. */
export function taken(known: ReadonlyMap<string, OrderOf>, answer: OrdersAnswer): Map<string, OrderOf> {
  const now = answer.whole ? new Map<string, OrderOf>() : new Map(known)
  answer.gone.forEach((id) => now.delete(id))
  answer.vehicles.forEach((id, k) => {
    now.set(id, {
      order: answer.orders[k] ?? '', destination: answer.destinations[k] ?? '', fromS: answer.from_s[k] ?? 0, untilS: answer.until_s[k] ?? 0, dueS: answer.due_s[k] ?? 0,
      overdueS: answer.overdue_s[k] ?? null, allowed: answer.allowed[k] ?? false,
    })
  })
  return now
}

/** The same by the index of the roster: it is looked at for each vehicle once a second. */
export interface OrderColumns {
  of: (OrderOf | undefined)[]
  resting: Uint8Array
}

export function columnsOf(roster: Pick<Roster, 'ids' | 'organisations'>, known: ReadonlyMap<string, OrderOf>, resting: readonly string[]): OrderColumns {
  const units = new Set(resting)
  return { of: roster.ids.map((id) => known.get(id)), resting: Uint8Array.from(roster.organisations, (unit) => (units.has(unit) ? 1 : 0)) }
}

/** The place in ORDER_STATES. */
export function orderStateOf(one: OrderOf | undefined, moving: boolean, resting: boolean, nowS: number): number {
  if (one) {
    if (one.overdueS !== null && nowS >= one.overdueS) return 2
    if (nowS >= one.fromS && nowS < one.untilS && (one.allowed || !resting)) return 3
  }
  if (resting) return moving ? 0 : 4
  return moving ? 1 : 5
}

export function orderLooks(dark: boolean): Look[] {
  return [
    { shape: 'cross', colour: dark ? '#f39be6' : '#8a1a7c', size: 18 },
    { shape: 'diamond', colour: dark ? '#ff7b72' : '#b3261e', size: 17 },
    { shape: 'triangle', colour: dark ? '#e5b567' : '#a86200', size: 16 },
    { shape: 'arrow', colour: dark ? '#63c174' : '#1e7a34', size: 22 },
    { shape: 'square', colour: dark ? '#7fb0f0' : '#1d4f91', size: 9 },
    { shape: 'ring', colour: dark ? '#a9b0ba' : '#6b7078', size: 10 },
  ]
}

/** What stands before the name of a state, as on the map. */
export const ORDER_SIGNS: Record<OrderState, string> = { sealedMoving: '✚', unordered: '◆', overdue: '▲', onOrder: '➤', sealed: '■', free: '○' }
