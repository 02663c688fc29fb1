// The board: cars by time, as parts of a day. Pure.
import { addDays } from '@/text/time'

import type { DispatchRow } from '../trips/trips'

const DAY_MS = 86_400_000

/** The first moment of a day in China, and the first of the next. */
export const spanOf = (day: string): { from: string; to: string } => ({ from: `${day}T00:00:00+08:00`, to: `${addDays(day, 1)}T00:00:00+08:00` })

export interface Bar {
  row: DispatchRow
  /** Of the day, 0 to 100. */
  left: number
  width: number
  from: string
  to: string
  /** The line of the car on which it is drawn: what it left late and came back late overlaps the next one. */
  line: number
}
export interface Car {
  id: string
  plate: string
  bars: Bar[]
  lines: number
}

/** When a dispatch had, or has, its car: as it was driven, else as it is planned; until now while it is out beyond its plan. */
function taken(row: DispatchRow, now: number): [number, number] {
  const from = Date.parse(row.actual_departure ?? row.planned_departure)
  const planned = Math.max(Date.parse(row.planned_return), row.extended_return ? Date.parse(row.extended_return) : 0)
  const out = row.actual_departure !== null && row.actual_return === null
  return [from, row.actual_return ? Date.parse(row.actual_return) : out ? Math.max(planned, now) : planned]
}

/** The cars of a day, by plate: those with dispatches first. Cancelled ones and those that nobody used have no car. */
export function carsOf(rows: readonly DispatchRow[], all: ReadonlyArray<{ id: string; plate: string }>, day: string, now: number): Car[] {
  const { from, to } = spanOf(day)
  const [begin, end] = [Date.parse(from), Date.parse(to)]
  const cars = new Map<string, Car>()
  const bars = rows
    .filter((row) => row.state !== 'cancelled' && row.state !== 'no_show')
    .map((row) => ({ row, span: taken(row, now) }))
    .filter(({ span }) => span[0] < end && span[1] > begin)
    .sort((a, b) => a.span[0] - b.span[0])
  for (const { row, span } of bars) {
    const car = cars.get(row.vehicle) ?? { id: row.vehicle, plate: row.plate, bars: [], lines: 1 }
    const [first, last] = [Math.max(span[0], begin), Math.min(span[1], end)]
    const left = ((first - begin) / DAY_MS) * 100
    let line = 0
    while (car.bars.some((one) => one.line === line && one.left + one.width > left + 0.01)) line += 1
    car.bars.push({ row, left, width: Math.max(1.2, ((last - first) / DAY_MS) * 100), from: new Date(span[0]).toISOString(), to: new Date(span[1]).toISOString(), line })
    car.lines = Math.max(car.lines, line + 1)
    cars.set(row.vehicle, car)
  }
  const byPlate = (a: { plate: string }, b: { plate: string }): number => a.plate.localeCompare(b.plate, 'zh')
  const free = all.filter((one) => !cars.has(one.id)).map((one) => ({ ...one, bars: [], lines: 1 }))
  return [...[...cars.values()].sort(byPlate), ...free.sort(byPlate)]
}
