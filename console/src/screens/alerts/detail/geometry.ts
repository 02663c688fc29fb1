// What evidence has that can be drawn: decoded, in degrees WGS-84, and in metres on a plane around its middle.
import { latOf, lonOf, mercatorX, mercatorY, metresAt } from '@/components/map/mercator'

import { moment, number, numbers, object, objects, text, type Frozen } from './frozen'

/** [longitude, latitude], degrees. */
export type Place = readonly [lon: number, lat: number]

export interface Track {
  lon: Float64Array
  lat: Float64Array
  /** Milliseconds since 1970. */
  t: Float64Array
  kmh: Float64Array
  valid: boolean[]
  /** Places k where no fix came for longer than a gap lasts before fix k (the valid fixes on both sides). */
  gaps: Array<{ from: number; to: number }>
}

export interface Shape {
  role: 'fence' | 'destination' | 'circle' | 'station' | 'route' | 'place' | 'silence'
  name: string
  version: number | null
  radius: number | null
  kind: 'area' | 'line' | 'point'
  /** Rings of an area, or one line, or one point. */
  rings: Place[][]
  from: number | null
  to: number | null
}

/** Polygons of WKB as hex: rings of [lon, lat]. Throws Error for what is none. */
export function wkbRings(hex: string): Place[][] {
  const bytes = new Uint8Array(hex.length / 2)
  for (let k = 0; k < bytes.length; k += 1) bytes[k] = Number.parseInt(hex.slice(2 * k, 2 * k + 2), 16)
  const view = new DataView(bytes.buffer)
  let place = 0
  let little = true
  const word = (): number => (place += 4, view.getUint32(place - 4, little))
  const real = (): number => (place += 8, view.getFloat64(place - 8, little))
  const rings: Place[][] = []
  function geometry(): void {
    little = view.getUint8(place) === 1
    place += 1
    const kind = word() & 0xff
    const count = word()
    if (kind === 6 || kind === 7) for (let k = 0; k < count; k += 1) geometry()
    else if (kind === 3) {
      for (let k = 0; k < count; k += 1) rings.push(Array.from({ length: word() }, (): Place => [real(), real()]))
    } else throw new Error(`no area: WKB ${kind}`)
  }
  geometry()
  return rings
}

/** An encoded polyline of precision 6. */
export function polyline(encoded: string): Place[] {
  const found: Place[] = []
  let [lat, lon, place] = [0, 0, 0]
  const next = (): number => {
    let [value, shift, chunk] = [0, 0, 32]
    while (chunk >= 32) {
      chunk = encoded.charCodeAt(place) - 63
      if (!(chunk >= 0 && chunk < 64)) throw new Error('no encoded polyline')
      place += 1
      value |= (chunk & 31) << shift
      shift += 5
    }
    return value & 1 ? ~(value >> 1) : value >> 1
  }
  while (place < encoded.length) {
    lat += next()
    lon += next()
    found.push([lon / 1e6, lat / 1e6])
  }
  return found
}

function trackOf(value: unknown, gapSeconds: number): Track | null {
  const columns = object(value)
  const times = numbers(columns?.t_us)
  if (!columns || times.length === 0) return null
  const [lats, lons, speeds, valid] = [numbers(columns.lat_e6), numbers(columns.lon_e6), numbers(columns.speed_dkmh), numbers(columns.valid)]
  const good = times.map((_, k) => (valid.length ? valid[k] === 1 : true))
  const gaps: Track['gaps'] = []
  let last = -1
  good.forEach((is, k) => {
    if (!is) return
    if (last >= 0 && (times[k] as number) - (times[last] as number) > gapSeconds * 1e6) gaps.push({ from: last, to: k })
    last = k
  })
  return {
    lon: Float64Array.from(lons, (v) => v / 1e6), lat: Float64Array.from(lats, (v) => v / 1e6), t: Float64Array.from(times, (v) => v / 1000),
    kmh: Float64Array.from(times, (_, k) => (speeds[k] ?? 0) / 10), valid: good, gaps,
  }
}

/** All tracks of evidence as one list of fixes each, in the order of time: of an order that several vehicles served each has its own. */
export function tracksOf(body: Frozen): Track[] {
  const gap = number(object(body.parameters)?.gap_s) ?? 120
  return [body.track, ...objects(body.legs).map((leg) => leg.track)].map((one) => trackOf(one, gap)).filter((one): one is Track => one !== null)
}

const shape = (role: Shape['role'], kind: Shape['kind'], rings: Place[][], name: unknown, more: Partial<Shape> = {}): Shape => ({
  role, kind, rings, name: text(name) ?? '', version: null, radius: null, from: null, to: null, ...more,
})
const placed = (value: Frozen): Place | null => {
  const [lat, lon] = [number(value.lat_e6), number(value.lon_e6)]
  return lat === null || lon === null ? null : [lon / 1e6, lat / 1e6]
}
const METRES = 111_319.49

/** A circle of ``radius`` metres as a ring. */
export function circle([lon, lat]: Place, radius: number): Place[] {
  const wide = METRES * Math.cos((lat * Math.PI) / 180)
  return Array.from({ length: 73 }, (_, k): Place => {
    const angle = (k * Math.PI) / 36
    return [lon + (radius * Math.cos(angle)) / wide, lat + (radius * Math.sin(angle)) / METRES]
  })
}

function around(role: 'destination' | 'station', value: Frozen, radius: number | null): Shape[] {
  const here = placed(value)
  if (!here) return []
  const found = [shape(role, 'point', [[here]], value.name)]
  return radius ? [shape('circle', 'area', [circle(here, radius)], value.name, { radius }), ...found] : found
}

function safely<T>(read: () => T[]): T[] {
  try {
    return read()
  } catch {
    return [] // what cannot be read is not drawn; the facts and the frozen body are there
  }
}

/** Everything but the track, the largest first. */
export function shapesOf(body: Frozen): Shape[] {
  const used = object(body.parameters) ?? {}
  const found: Shape[] = objects(body.fences).flatMap((fence) => safely(() => {
    const parts = objects(fence.fences)
    const first = parts.length ? (parts[0] as Frozen) : fence
    const name = parts.length > 1 ? parts.map((one) => text(one.name) ?? text(one.id) ?? '').join('、') : (text(first.name) ?? text(first.id))
    return [shape('fence', 'area', wkbRings(String(fence.wkb)), name, { version: number(first.version), from: moment(fence.from_us), to: moment(fence.to_us) })]
  }))
  const station = object(body.station)
  if (station) {
    const polygons = Array.isArray(station.polygons) ? (station.polygons as number[][][][]) : null
    if (polygons) found.push(shape('station', 'area', polygons.flat().map((ring) => ring.map(([lat, lon]): Place => [(lon ?? 0) / 1e6, (lat ?? 0) / 1e6])), station.name))
    else found.push(...around('station', station, number(used.station_radius_m)))
  }
  const destination = object(body.destination)
  if (destination) found.push(...around('destination', destination, number(used.radius_m)))
  const route = text(object(body.route)?.shape)
  if (route) found.push(...safely(() => [shape('route', 'line', [polyline(route)], object(body.route)?.engine)]))
  const designated = object(body.route)?.line
  if (Array.isArray(designated)) found.push(shape('route', 'line', [(designated as number[][]).map((point): Place => [(point[1] ?? 0) / 1e6, (point[0] ?? 0) / 1e6])], ''))
  if (Array.isArray(body.destinations)) {
    for (const one of objects([body.origin, ...body.destinations, body.return_point])) {
      const here = placed(one)
      if (here) found.push(shape('place', 'point', [[here]], one.name))
    }
  }
  for (const silence of objects(body.silences)) {
    const seen = [...(Array.isArray(silence.before) ? silence.before.slice(-1) : []), ...(Array.isArray(silence.after) ? silence.after.slice(0, 1) : [])] as number[][]
    const line = seen.map((fix): Place => [(fix[2] ?? 0) / 1e6, (fix[1] ?? 0) / 1e6])
    if (line.length) found.push(shape('silence', line.length > 1 ? 'line' : 'point', [line], '', { from: moment(seen[0]?.[0]), to: moment(seen[1]?.[0]) }))
  }
  return found
}

/** Degrees to metres east and south of the middle, as a map of Mercator has them, so that a base map fits under it; back; and how large
 * everything is. */
export interface Plane {
  x: (lon: number) => number
  y: (lat: number) => number
  lon: (x: number) => number
  lat: (y: number) => number
  /** Where a metre of the plane is a metre. */
  middle: number
  /** [left, top, width, height] in metres, with some room around; null: nothing to draw. */
  whole: [number, number, number, number]
}

export function planeOf(shapes: Shape[], tracks: Track[]): Plane | null {
  let [west, east, south, north] = [Infinity, -Infinity, Infinity, -Infinity]
  const take = (lon: number, lat: number): void => {
    west = Math.min(west, lon); east = Math.max(east, lon); south = Math.min(south, lat); north = Math.max(north, lat)
  }
  for (const one of shapes) for (const ring of one.rings) for (const [lon, lat] of ring) take(lon, lat)
  // A fix that is known to be none may lie in another province.
  for (const one of tracks) one.valid.forEach((good, k) => good && take(one.lon[k] as number, one.lat[k] as number))
  if (west > east) return null
  const [lon0, lat0] = [(west + east) / 2, (south + north) / 2]
  const [left, top, size] = [mercatorX(lon0), mercatorY(lat0), metresAt(lat0)]
  const [x, y] = [(lon: number) => (mercatorX(lon) - left) * size, (lat: number) => (mercatorY(lat) - top) * size]
  const room = Math.max(x(east) - x(west), y(south) - y(north), 100) * 0.06
  return { x, y, lon: (at) => lonOf(left + at / size), lat: (at) => latOf(top + at / size), middle: lat0, whole: [x(west) - room, y(north) - room, x(east) - x(west) + 2 * room, y(south) - y(north) + 2 * room] }
}

/** The longest round length of 1, 2, 5 x 10^n metres that is not longer than ``most``. */
export function roundLength(most: number): number {
  const step = 10 ** Math.floor(Math.log10(most))
  return ([5, 2].find((n) => n * step <= most) ?? 1) * step
}

/** Speeds that a colour begins with, km/h, and the colours: told apart by lightness too, also by who sees no red. */
export const SPEEDS = [0, 20, 40, 60, 80, 100] as const
export const COLOURS = ['#3b2f8f', '#2b5fb3', '#1f8a8c', '#5a9a1f', '#c98a00', '#c2351f'] as const
export const INVALID = '#8a8f96'

export const colourOf = (kmh: number): string => {
  let place = 0
  while (place + 1 < SPEEDS.length && kmh >= (SPEEDS[place + 1] as number)) place += 1
  return COLOURS[place] as string
}
