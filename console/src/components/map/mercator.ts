// Web Mercator with the whole world as the square [0, 1]: x to the east, y to the south. Coordinates are degrees WGS-84.

export const EQUATOR_M = 40_075_016.685_578_5
const MOST_LAT = 85.051_128_779_8

export function mercatorX(lon: number): number {
  return (lon + 180) / 360
}

export function mercatorY(lat: number): number {
  const held = Math.max(-MOST_LAT, Math.min(MOST_LAT, lat))
  return 0.5 - Math.log(Math.tan(Math.PI / 4 + (held * Math.PI) / 360)) / (2 * Math.PI)
}

export function lonOf(x: number): number {
  return x * 360 - 180
}

export function latOf(y: number): number {
  return (Math.atan(Math.exp((0.5 - y) * 2 * Math.PI)) * 360) / Math.PI - 90
}

/** Metres of a length of 1 in the square, at a latitude. */
export function metresAt(lat: number): number {
  return EQUATOR_M * Math.cos((lat * Math.PI) / 180)
}

/** Great circle distance in metres. */
export function distanceM(lon1: number, lat1: number, lon2: number, lat2: number): number {
  const r = Math.PI / 180
  const h =
    Math.sin(((lat2 - lat1) * r) / 2) ** 2 + Math.cos(lat1 * r) * Math.cos(lat2 * r) * Math.sin(((lon2 - lon1) * r) / 2) ** 2
  return 2 * 6_371_008.8 * Math.asin(Math.min(1, Math.sqrt(h)))
}

export interface ScaleBar {
  pixels: number
  text: string
}

/** The longest round length (1, 2 or 5 times a power of ten) that is at most ``most`` pixels long. */
export function scaleBar(metresPerPixel: number, most = 120): ScaleBar {
  const wanted = Math.max(1e-3, metresPerPixel * most)
  const power = 10 ** Math.floor(Math.log10(wanted))
  const length = ([5, 2, 1].find((k) => k * power <= wanted) ?? 1) * power
  return { pixels: length / metresPerPixel, text: length >= 1000 ? `${length / 1000} km` : `${length} m` }
}

/** Differences to a reference nearby as float32, two a point: exact to a centimetre within a degree of it, where float32 of the square itself is metres off. */
export function offsets(x: Float64Array, y: Float64Array, count: number, refX: number, refY: number, into: Float32Array): void {
  for (let k = 0; k < count; k++) {
    into[2 * k] = (x[k] as number) - refX
    into[2 * k + 1] = (y[k] as number) - refY
  }
}

/** ``matrix`` (column by column) after a shift by (x, y), made in doubles. */
export function shifted(matrix: ArrayLike<number>, x: number, y: number): Float32Array {
  const m = Float64Array.from(matrix)
  for (let row = 0; row < 4; row++) {
    m[12 + row] = (m[row] as number) * x + (m[4 + row] as number) * y + (m[12 + row] as number)
  }
  return Float32Array.from(m)
}

/** The index of the point that is nearest to (x, y) and at most ``within`` away; -1: none. ``look`` 255 is not drawn. */
export function nearest(points: Points, x: number, y: number, within: number): number {
  let best = -1
  let least = within * within
  for (let k = 0; k < points.count; k++) {
    if (points.look[k] === HIDDEN) continue
    const dx = (points.x[k] as number) - x
    const dy = (points.y[k] as number) - y
    const square = dx * dx + dy * dy
    if (square <= least) {
      least = square
      best = k
    }
  }
  return best
}

/** A look that is not drawn. */
export const HIDDEN = 255
/** A direction that is not known. */
export const NO_TURN = 255

/** Points in the square; ``look`` is a place in the list of looks, ``turn`` a direction in 2 degrees clockwise from north. */
export interface Points {
  count: number
  x: Float64Array
  y: Float64Array
  look: Uint8Array
  turn: Uint8Array
  /** Drawn smaller on a map of a wide area, where thousands lie close to each other. */
  shrinks?: boolean
}

/** How large points that shrink are drawn at a zoom (512 pixels times 2 to its power are the world). */
export function shrunk(zoom: number): number {
  return Math.max(0.4, Math.min(1, (zoom - 5) / 7))
}

export function noPoints(room: number): Points {
  return { count: 0, x: new Float64Array(room), y: new Float64Array(room), look: new Uint8Array(room).fill(HIDDEN), turn: new Uint8Array(room).fill(NO_TURN) }
}

export const SHAPES = ['circle', 'arrow', 'square', 'ring', 'diamond', 'triangle', 'cross'] as const

/** How points of a kind are drawn. Shapes tell kinds apart for who does not see the colours. */
export interface Look {
  shape: (typeof SHAPES)[number]
  /** "#rrggbb" */
  colour: string
  /** Pixels across. */
  size: number
}

export interface Line {
  /** Degrees: [lon, lat]. */
  coordinates: [number, number][]
  colour: string
  width: number
  dashed?: boolean
}

export interface Bounds {
  west: number
  south: number
  east: number
  north: number
}

/** What holds all points that are drawn; null: there is none. */
export function boundsOf(points: Points): Bounds | null {
  let [west, east, north, south] = [Infinity, -Infinity, Infinity, -Infinity]
  for (let k = 0; k < points.count; k++) {
    if (points.look[k] === HIDDEN) continue
    const x = points.x[k] as number
    const y = points.y[k] as number
    if (x < west) west = x
    if (x > east) east = x
    if (y < north) north = y
    if (y > south) south = y
  }
  return west > east ? null : { west: lonOf(west), east: lonOf(east), north: latOf(north), south: latOf(south) }
}

/** "#rrggbb" as three numbers from 0 to 1. */
export function rgb(colour: string): [number, number, number] {
  const value = Number.parseInt(colour.slice(1), 16)
  return [(value >> 16) / 255, ((value >> 8) & 255) / 255, (value & 255) / 255]
}
