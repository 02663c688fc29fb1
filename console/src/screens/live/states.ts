// What a vehicle does, from a row of the live map; and how the map shows it.
import { HIDDEN, mercatorX, mercatorY, NO_TURN, type Look, type Points } from '@/components/map/mercator'

import { FLAG, UNKNOWN, type LiveTable } from './frames'
import { MOVING_KMH, ORDER_STATES, orderLooks, orderStateOf, type OrderColumns } from './orders'

/** In the order in which they stand in the list of states, and by which looks are numbered. */
export const STATES = ['alarm', 'moving', 'idle', 'stopped', 'unlocated', 'offline'] as const
export type State = (typeof STATES)[number]

/** Nothing newer for so long: offline. */
export const OFFLINE_S = 600

/** The place in STATES. ``nowS``: the server's time. */
export function stateOf(flags: number, speed: number, fix: number, nowS: number): number {
  if (flags & FLAG.stored || nowS - fix > OFFLINE_S) return 5
  if (flags & FLAG.alarm) return 0
  if ((flags & FLAG.located) === 0) return 4
  if (speed > 0 && speed !== UNKNOWN) return 1
  return (flags & (FLAG.accKnown | FLAG.accOn)) === (FLAG.accKnown | FLAG.accOn) ? 2 : 3
}

/** Behind the looks of the states: that of all, dim, while nothing new comes in; that of the vehicle that is chosen; those of orders. */
export const DIM = STATES.length
export const CHOSEN = STATES.length + 1
export const BY_ORDER = STATES.length + 2

export function looks(dark: boolean): Look[] {
  return [
    { shape: 'diamond', colour: dark ? '#ff7b72' : '#b3261e', size: 17 },
    { shape: 'arrow', colour: dark ? '#63c174' : '#1e7a34', size: 24 },
    { shape: 'circle', colour: dark ? '#e5b567' : '#a86200', size: 12 },
    { shape: 'square', colour: dark ? '#7fb0f0' : '#1d4f91', size: 11 },
    { shape: 'ring', colour: dark ? '#c79bff' : '#6b3fa0', size: 12 },
    { shape: 'ring', colour: dark ? '#a9b0ba' : '#6b7078', size: 12 },
    { shape: 'ring', colour: dark ? '#8b929c' : '#8a9099', size: 12 },
    { shape: 'ring', colour: dark ? '#ffffff' : '#0b57d0', size: 34 },
    ...orderLooks(dark),
  ]
}

/** What stands before a state's name, as on the map. */
export const SIGNS: Record<State, string> = { alarm: '◆', moving: '▲', idle: '●', stopped: '■', unlocated: '○', offline: '◌' }

const NOWHERE = -(2 ** 31)

/** How the rows are now: their state, how many there are of each, and the points to draw. */
export class Picture {
  points: Points = { count: 0, x: new Float64Array(0), y: new Float64Array(0), look: new Uint8Array(0), turn: new Uint8Array(0), shrinks: true }
  state = new Uint8Array(0)
  /** The place in ORDER_STATES, while orders are shown. */
  order = new Uint8Array(0)
  orderNumbers: number[] = ORDER_STATES.map(() => 0)
  private lon = new Int32Array(0)
  private lat = new Int32Array(0)
  private step = 0

  /** ``shown``: 1 for each vehicle of the units and plates that are looked at. Numbers are those of the shown ones. ``only``: a state, or null.
   * ``orders``: vehicles are drawn by their orders; ``onlyOrder``: a state of those, or null. */
  draw(table: LiveTable, shown: Uint8Array | null, only: number | null, old: boolean, orders: OrderColumns | null = null, onlyOrder: number | null = null): number[] {
    const n = table.vehicles
    if (this.state.length !== n) {
      this.points = { count: n, x: new Float64Array(n), y: new Float64Array(n), look: new Uint8Array(n), turn: new Uint8Array(n), shrinks: true }
      this.state = new Uint8Array(n)
      this.order = new Uint8Array(n)
      this.lon = new Int32Array(n)
      this.lat = new Int32Array(n)
      this.step = 0
    }
    const { x, y, look, turn } = this.points
    const numbers = STATES.map(() => 0)
    const byOrder = ORDER_STATES.map(() => 0)
    const nowS = table.nowMs / 1000
    const degree = table.step / 1e6
    // Of what was drawn with another step nothing holds, also of who is not there now.
    if (this.step !== table.step) this.lon.fill(NOWHERE)
    for (let k = 0; k < n; k++) {
      if (!table.present[k]) {
        look[k] = HIDDEN
        continue
      }
      // Most have not moved since the last frame, and a logarithm each would be most of the work.
      const [lon, lat] = [table.lon[k] as number, table.lat[k] as number]
      if (this.lon[k] !== lon || this.lat[k] !== lat) {
        x[k] = mercatorX(lon * degree)
        y[k] = mercatorY(lat * degree)
        this.lon[k] = lon
        this.lat[k] = lat
      }
      const state = stateOf(table.flags[k] as number, table.speed[k] as number, table.fix[k] as number, nowS)
      this.state[k] = state
      if (shown && !shown[k]) {
        look[k] = HIDDEN
        continue
      }
      numbers[state] = (numbers[state] ?? 0) + 1
      let drawn = state
      if (orders) {
        const speed = table.speed[k] as number
        const moves = state < 4 && speed !== UNKNOWN && speed >= MOVING_KMH
        const order = orderStateOf(orders.of[k], moves, orders.resting[k] === 1, nowS)
        this.order[k] = order
        byOrder[order] = (byOrder[order] ?? 0) + 1
        drawn = BY_ORDER + order
        if (onlyOrder !== null && order !== onlyOrder) drawn = HIDDEN
      }
      look[k] = drawn === HIDDEN || (only !== null && state !== only) ? HIDDEN : old ? DIM : drawn
      turn[k] = table.direction[k] === UNKNOWN ? NO_TURN : (table.direction[k] as number)
    }
    this.step = table.step
    this.orderNumbers = byOrder
    return numbers
  }
}
