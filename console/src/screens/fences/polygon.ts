// Areas as they are drawn: polygons of rings of [longitude, latitude]. A ring here does not repeat its first point. All of it is pure.
export type Position = [number, number]
export type Ring = Position[]
/** The outer ring, and its holes. */
export type Area = Ring[]

/** What is wrong with an area, and where: the edges (counted by their first point) or points that meet. */
export interface Flaw {
  kind: 'few' | 'range' | 'duplicate' | 'crosses' | 'touches' | 'ringsMeet' | 'holeOutside' | 'areasOverlap'
  ring: number
  a: number
  b: number
  /** How many points the ring has. */
  count: number
}

/** Nearer than this (a tenth of a millimetre, in degrees) is the same place. */
const NEAR = 1e-9
/** Drawn positions are kept to a centimetre: what stands in the table is what is saved, to the digit. */
const DIGITS = 1e7

export const rounded = (value: number): number => Math.round(value * DIGITS) / DIGITS

const cross = (o: Position, a: Position, b: Position): number => (a[0] - o[0]) * (b[1] - o[1]) - (a[1] - o[1]) * (b[0] - o[0])

/** How far ``p`` is from the segment. */
function away(p: Position, a: Position, b: Position): number {
  const [dx, dy] = [b[0] - a[0], b[1] - a[1]]
  const square = dx * dx + dy * dy
  const part = square === 0 ? 0 : Math.max(0, Math.min(1, ((p[0] - a[0]) * dx + (p[1] - a[1]) * dy) / square))
  return Math.hypot(p[0] - a[0] - part * dx, p[1] - a[1] - part * dy)
}

const apart = (a: Position, b: Position, c: Position, d: Position): boolean =>
  Math.max(a[0], b[0]) < Math.min(c[0], d[0]) - NEAR || Math.max(c[0], d[0]) < Math.min(a[0], b[0]) - NEAR ||
  Math.max(a[1], b[1]) < Math.min(c[1], d[1]) - NEAR || Math.max(c[1], d[1]) < Math.min(a[1], b[1]) - NEAR

/** How two segments meet that share no end. */
export function meeting(a: Position, b: Position, c: Position, d: Position): 'crosses' | 'touches' | null {
  if (apart(a, b, c, d)) return null
  if (away(c, a, b) < NEAR || away(d, a, b) < NEAR || away(a, c, d) < NEAR || away(b, c, d) < NEAR) return 'touches'
  return cross(a, b, c) > 0 !== cross(a, b, d) > 0 && cross(c, d, a) > 0 !== cross(c, d, b) > 0 ? 'crosses' : null
}

/** What is wrong with one ring; ``open``: it is still being drawn, and its last point is not joined to its first. */
export function flawOfRing(ring: Ring, open = false, no = 0): Flaw | null {
  const count = ring.length
  for (const [k, [lon, lat]] of ring.entries()) {
    if (!(Math.abs(lon) <= 180 && Math.abs(lat) <= 85)) return { kind: 'range', ring: no, a: k, b: k, count }
  }
  for (let k = 0; k < count; k++) {
    for (let j = k + 1; j < count; j++) {
      const [p, q] = [ring[k] as Position, ring[j] as Position]
      if (Math.abs(p[0] - q[0]) < NEAR && Math.abs(p[1] - q[1]) < NEAR) return { kind: 'duplicate', ring: no, a: k, b: j, count }
    }
  }
  if (!open && count < 3) return { kind: 'few', ring: no, a: count, b: count, count }
  const edges = open ? count - 1 : count
  const at = (k: number): Position => ring[k % count] as Position
  for (let k = 0; k < edges; k++) {
    for (let j = k + 1; j < edges; j++) {
      const [a, b, c, d] = [at(k), at(k + 1), at(j), at(j + 1)]
      if (j === k + 1) {
        // Neighbours share b = c: wrong only where one goes back over the other.
        if (away(d, a, b) < NEAR || away(a, c, d) < NEAR) return { kind: 'touches', ring: no, a: k, b: j, count }
      } else if (!open && k === 0 && j === count - 1) {
        if (away(c, a, b) < NEAR || away(b, c, d) < NEAR) return { kind: 'touches', ring: no, a: k, b: j, count }
      } else {
        const met = meeting(a, b, c, d)
        if (met) return { kind: met, ring: no, a: k, b: j, count }
      }
    }
  }
  return null
}

/** Whether a point is inside of a ring. */
export function inside([x, y]: Position, ring: Ring): boolean {
  let found = false
  ring.forEach((a, k) => {
    const b = ring[(k + 1) % ring.length] as Position
    if (a[1] > y !== b[1] > y && x < ((b[0] - a[0]) * (y - a[1])) / (b[1] - a[1]) + a[0]) found = !found
  })
  return found
}

/** Whether the lines of two rings meet. ``open``: the other one is still being drawn, and its last point is not joined to its first. */
function ringsMeet(one: Ring, other: Ring, open = false): [number, number] | null {
  for (const [k, a] of one.entries()) {
    for (const [j, c] of other.entries()) {
      if (open && j === other.length - 1) continue
      if (meeting(a, one[(k + 1) % one.length] as Position, c, other[(j + 1) % other.length] as Position)) return [k, j]
    }
  }
  return null
}

/** What is wrong with the whole shape. ``open``: the last ring is still being drawn. Rings are counted through all areas. */
export function flawOfShape(areas: readonly Area[], open = false): Flaw | null {
  const rings = areas.flatMap((area, part) => area.map((ring, place) => ({ ring, part, place })))
  if (rings.length === 0) return { kind: 'few', ring: 0, a: 0, b: 0, count: 0 }
  for (const [no, one] of rings.entries()) {
    const flaw = flawOfRing(one.ring, open && no === rings.length - 1, no)
    if (flaw) return flaw
  }
  for (const [no, one] of rings.entries()) {
    for (let k = no + 1; k < rings.length; k++) {
      const other = rings[k] as (typeof rings)[number]
      const drawn = open && k === rings.length - 1
      const met = ringsMeet(one.ring, other.ring, drawn)
      if (met) return { kind: 'ringsMeet', ring: no, a: met[0], b: met[1], count: one.ring.length }
      const first = other.ring[0]
      const own = one.ring[0]
      if (!first || !own) continue
      // What is being drawn encloses nothing yet; where it has begun is known.
      const [within, around] = [inside(first, one.ring), !drawn && inside(own, other.ring)]
      if (one.part === other.part) {
        if (one.place === 0 && !within) return { kind: 'holeOutside', ring: k, a: 0, b: 0, count: other.ring.length }
        if (one.place > 0 && (within || around)) return { kind: 'ringsMeet', ring: k, a: 0, b: 0, count: other.ring.length }
      } else if (one.place === 0 && other.place === 0 && (within || around)) {
        // An island may lie in a hole of the other; anything else is counted twice.
        const holes = rings.filter((hole) => hole.place > 0 && hole.part === (within ? one.part : other.part))
        if (!holes.some((hole) => inside(within ? first : own, hole.ring))) return { kind: 'areasOverlap', ring: k, a: 0, b: 0, count: other.ring.length }
      }
    }
  }
  return null
}

/** Which area a point lies in, outside of its holes; -1: in none. */
export const areaAt = (at: Position, areas: readonly Area[]): number =>
  areas.findIndex(([outer, ...holes]) => outer !== undefined && inside(at, outer) && !holes.some((hole) => inside(at, hole)))

/** Every position turned into another one. */
export const mapped = (areas: readonly Area[], change: (at: Position) => Position): Area[] => areas.map((area) => area.map((ring) => ring.map(change)))

/** Whether all of its positions are numbers that a map can show. */
const shows = (area: Area): boolean =>
  area.length > 0 && area.every((ring) => ring.length > 0 && ring.every(([lon, lat]) => Math.abs(lon) <= 180 && Math.abs(lat) <= 85))

/** What of a stranger's geometry can be shown: areas with positions on the map, and no more vertices than ``most``. */
export function shownAreas(geometries: readonly unknown[], most: number): Area[] {
  const found: Area[] = []
  let left = most
  for (const geometry of geometries) {
    let areas: Area[] = []
    try {
      areas = areasOf(geometry as Record<string, unknown>).filter(shows)
    } catch {
      continue // not even rings: the server says what is wrong with it
    }
    left -= areas.flat().reduce((sum, ring) => sum + ring.length, 0)
    if (left < 0) break
    found.push(...areas)
  }
  return found
}

/** The areas of a Polygon or MultiPolygon of the API; heights are left out. */
export function areasOf(geometry: Readonly<Record<string, unknown>> | undefined): Area[] {
  const given = geometry?.coordinates
  if (!Array.isArray(given)) return []
  const parts = (geometry?.type === 'MultiPolygon' ? given : [given]) as number[][][][]
  return parts.map((area) => area.map((ring) => ring.slice(0, -1).map(([lon, lat]): Position => [Number(lon), Number(lat)])))
}

/** Areas as GeoJSON: rings closed. */
export function geometryOf(areas: readonly Area[]): { type: 'Polygon' | 'MultiPolygon'; coordinates: unknown } {
  const parts = areas.map((area) => area.map((ring) => (ring[0] ? [...ring, ring[0]] : [])))
  return parts.length === 1 ? { type: 'Polygon', coordinates: parts[0] } : { type: 'MultiPolygon', coordinates: parts }
}

/** What holds all of it; null: there is no point. */
export function boxOf(areas: readonly Area[]): { west: number; south: number; east: number; north: number } | null {
  const points = areas.flatMap((area) => area.flat())
  if (points.length === 0) return null
  let [west, south, east, north] = [Infinity, Infinity, -Infinity, -Infinity]
  for (const [lon, lat] of points) [west, south, east, north] = [Math.min(west, lon), Math.min(south, lat), Math.max(east, lon), Math.max(north, lat)]
  return { west, south, east, north }
}
