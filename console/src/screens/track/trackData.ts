// A track as columns, and what a person wants to know of it: lines by speed, gaps, stops, where the vehicle was at a moment. Pure.
import { distanceM, type Line } from '@/components/map/mercator'

/** Positions by time of fix. Invalid ones are among them: they are shown, and count for nothing. */
export interface Track {
  count: number
  /** ms since 1970 UTC */
  time: Float64Array
  lon: Float64Array
  lat: Float64Array
  valid: Uint8Array
  /** km/h */
  speed: Float64Array
  /** degrees from north */
  direction: Float64Array
  /** Why a fix is invalid: names with spaces between; '' of a valid one. */
  flags: string[]
  /** Rows of ``validRows`` are the valid fixes. */
  validRows: Int32Array
}

/** Between two valid fixes so far apart nobody knows where the vehicle was. */
export const GAP_MS = 180_000
/** A stop: at most so fast, within so many metres, for so long. */
export const STOP_KMH = 3
export const STOP_M = 100
export const STOP_MS = 180_000

/** The API's CSV. Throws RangeError where it is none. */
export function parseTrack(csv: string): Track {
  const lines = csv.split('\r\n')
  const names = (lines[0] ?? '').split(',')
  const at = (name: string): number => {
    const place = names.indexOf(name)
    if (place < 0) throw new RangeError(`no column ${name}`)
    return place
  }
  const [time, lat, lon, valid, flags, speed, direction] = ['time', 'lat', 'lon', 'valid', 'flags', 'speed_kmh', 'direction_deg'].map(at) as [
    number, number, number, number, number, number, number,
  ]
  const rows = lines.slice(1).filter((line) => line !== '')
  const count = rows.length
  const made: Track = {
    count, time: new Float64Array(count), lon: new Float64Array(count), lat: new Float64Array(count), valid: new Uint8Array(count),
    speed: new Float64Array(count), direction: new Float64Array(count), flags: [], validRows: new Int32Array(0),
  }
  const good: number[] = []
  rows.forEach((line, k) => {
    const cells = line.split(',')
    made.time[k] = Date.parse(cells[time] ?? '')
    if (Number.isNaN(made.time[k])) throw new RangeError(`row ${k + 1} has no time`)
    made.lat[k] = Number(cells[lat])
    made.lon[k] = Number(cells[lon])
    made.speed[k] = Number(cells[speed])
    made.direction[k] = Number(cells[direction])
    made.flags.push(cells[flags] ?? '')
    if (cells[valid] === 'true') {
      made.valid[k] = 1
      good.push(k)
    }
  })
  made.validRows = Int32Array.from(good)
  return made
}

const num = (column: Float64Array | Int32Array, k: number): number => column[k] as number

/** The place in validRows of the last valid fix at or before a moment; -1: there is none yet. */
export function fixBefore(track: Track, moment: number): number {
  let [low, high] = [0, track.validRows.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (num(track.time, num(track.validRows, middle)) <= moment) low = middle + 1
    else high = middle
  }
  return low - 1
}

export interface Place {
  /** Row of the last valid fix. */
  row: number
  lon: number
  lat: number
  /** Nothing was heard at that time: the place is that of the fix before. */
  gap: boolean
}

/** Where the vehicle was at a moment: at a fix exactly there, between two on the straight line, in a gap at the last fix; null: before the first. */
export function placeAt(track: Track, moment: number): Place | null {
  const k = fixBefore(track, moment)
  if (k < 0) return null
  const row = num(track.validRows, k)
  const [t, lon, lat] = [num(track.time, row), num(track.lon, row), num(track.lat, row)]
  if (k + 1 >= track.validRows.length) return { row, lon, lat, gap: moment - t > GAP_MS }
  const next = num(track.validRows, k + 1)
  const span = num(track.time, next) - t
  if (span > GAP_MS) return { row, lon, lat, gap: moment > t }
  const part = span > 0 ? (moment - t) / span : 0
  return { row, lon: lon + part * (num(track.lon, next) - lon), lat: lat + part * (num(track.lat, next) - lat), gap: false }
}

/** Upper ends of the classes of speed, km/h; the last class has none. */
export const CLASSES = [20, 60, 90, 120] as const

export function speedClass(kmh: number): number {
  const found = CLASSES.findIndex((end) => kmh <= end)
  return found < 0 ? CLASSES.length : found
}

/** Lines through the valid fixes, one for each stretch of one class of speed (that of its end); gaps are dashed and of their own colour. */
export function trackLines(track: Track, colours: readonly string[], gapColour: string): Line[] {
  const lines: Line[] = []
  let kind = -2
  for (let k = 1; k < track.validRows.length; k++) {
    const [a, b] = [num(track.validRows, k - 1), num(track.validRows, k)]
    const gap = num(track.time, b) - num(track.time, a) > GAP_MS
    const now = gap ? -1 : speedClass(num(track.speed, b))
    const end: [number, number] = [num(track.lon, b), num(track.lat, b)]
    const last = lines[lines.length - 1]
    if (now === kind && last) last.coordinates.push(end)
    else {
      lines.push({
        coordinates: [[num(track.lon, a), num(track.lat, a)], end], colour: gap ? gapColour : (colours[now] ?? gapColour), width: gap ? 2 : 4, dashed: gap,
      })
    }
    kind = now
  }
  return lines
}

export interface Stop {
  from: number
  to: number
  lon: number
  lat: number
}

/** Where it stood. A terminal that slept at the place was there meanwhile, if it woke there. */
export function stopsOf(track: Track): Stop[] {
  const stops: Stop[] = []
  const rows = track.validRows
  let k = 0
  while (k < rows.length) {
    const first = num(rows, k)
    if (num(track.speed, first) > STOP_KMH) {
      k++
      continue
    }
    const near = (row: number): boolean => distanceM(num(track.lon, first), num(track.lat, first), num(track.lon, row), num(track.lat, row)) <= STOP_M
    let next = k + 1
    while (next < rows.length && num(track.speed, num(rows, next)) <= STOP_KMH && near(num(rows, next))) next++
    const woke = next < rows.length && near(num(rows, next)) ? num(rows, next) : num(rows, next - 1)
    const stop = { from: num(track.time, first), to: num(track.time, woke), lon: num(track.lon, first), lat: num(track.lat, first) }
    if (stop.to - stop.from >= STOP_MS) stops.push(stop)
    k = next
  }
  return stops
}

export interface Summary {
  valid: number
  invalid: number
  /** How many fixes are invalid for each reason; one may have several. */
  reasons: [string, number][]
  distanceM: number
  maxKmh: number
  gaps: number
}

/** ``distanceM``: along the lines that are no gaps. */
export function summaryOf(track: Track): Summary {
  const reasons = new Map<string, number>()
  track.flags.forEach((flags, k) => {
    if (!track.valid[k]) flags.split(' ').filter(Boolean).forEach((one) => reasons.set(one, (reasons.get(one) ?? 0) + 1))
  })
  let [metres, most, gaps] = [0, 0, 0]
  track.validRows.forEach((row, k) => {
    most = Math.max(most, num(track.speed, row))
    if (k === 0) return
    const before = num(track.validRows, k - 1)
    if (num(track.time, row) - num(track.time, before) > GAP_MS) gaps++
    else metres += distanceM(num(track.lon, before), num(track.lat, before), num(track.lon, row), num(track.lat, row))
  })
  return {
    valid: track.validRows.length, invalid: track.count - track.validRows.length,
    reasons: [...reasons].sort((a, b) => b[1] - a[1]), distanceM: metres, maxKmh: most, gaps,
  }
}

/** Speed by time for a chart: seconds, and km/h with a hole in each gap. */
export function speedSeries(track: Track): [number[], (number | null)[]] {
  const [x, y]: [number[], (number | null)[]] = [[], []]
  track.validRows.forEach((row, k) => {
    const t = num(track.time, row) / 1000
    const before = k > 0 ? num(track.time, num(track.validRows, k - 1)) / 1000 : t
    if (t - before > GAP_MS / 1000) {
      x.push(before + 1)
      y.push(null)
    }
    x.push(t)
    y.push(num(track.speed, row))
  })
  return [x, y]
}
