import { describe, expect, it } from 'vitest'

import { areasOf, flawOfRing, flawOfShape, geometryOf, inside, shownAreas, type Ring } from '@/screens/fences/polygon'
import { kmlRing, rowsOfGeoJson } from '@/screens/fences/reading'
import { fromWgs84, toWgs84, type Datum, type LonLat } from '@/components/map/datum'
import { stateOf } from '@/screens/fences/fences'
import { useShape } from '@/screens/fences/useShape'

const at = (ring: [number, number][], x = 120.89, y = 31.98, unit = 0.001): Ring => ring.map(([a, b]) => [x + a * unit, y + b * unit])
const square = at([[0, 0], [4, 0], [4, 4], [0, 4]])

describe('a ring', () => {
  it('is good when its edges meet at their ends only, whichever way round', () => {
    expect(flawOfRing(square)).toBeNull()
    expect(flawOfRing(at([[0, 4], [4, 4], [4, 0], [0, 0]]))).toBeNull()
    expect(flawOfRing(at([[0, 0], [4, 0], [1, 1], [0, 4]]))).toBeNull()
    // A point on a straight edge is no fault.
    expect(flawOfRing(at([[0, 0], [2, 0], [4, 0], [4, 4]]))).toBeNull()
  })
  it('must not cross itself', () => {
    expect(flawOfRing(at([[0, 0], [4, 4], [4, 0], [0, 4]]))).toEqual({ kind: 'crosses', ring: 0, a: 0, b: 2, count: 4 })
    // The edge that closes it counts as well, but not while it is being drawn.
    const hook = at([[0, 0], [4, 0], [4, 4], [2, -2]])
    expect(flawOfRing(hook, true)?.kind).toBe('crosses')
    const late = at([[0, 0], [4, 0], [4, 4], [2, 4], [2, 1], [5, -1]])
    expect(flawOfRing(late, true)?.kind).toBe('crosses')
    const closing = at([[0, 0], [4, 0], [4, -2], [6, -2], [6, 4], [5, -1]])
    expect(flawOfRing(closing, true)).toBeNull()
    expect(flawOfRing(closing)?.kind).toBe('crosses')
  })
  it('must not touch itself, nor go back over its own edge', () => {
    expect(flawOfRing(at([[0, 0], [4, 0], [4, 4], [2, 0], [0, 4]]))?.kind).toBe('touches')
    expect(flawOfRing(at([[0, 0], [4, 0], [2, 0], [0, 4]]))?.kind).toBe('touches')
    expect(flawOfRing(at([[0, 0], [4, 0], [8, 0]]))?.kind).toBe('touches')
  })
  it('has no point twice, three at least, and lies on the earth', () => {
    expect(flawOfRing(at([[0, 0], [4, 0], [4, 4], [4, 0]]))).toEqual({ kind: 'duplicate', ring: 0, a: 1, b: 3, count: 4 })
    expect(flawOfRing(at([[0, 0], [4, 0]]))?.kind).toBe('few')
    expect(flawOfRing(at([[0, 0], [4, 0]]), true)).toBeNull()
    expect(flawOfRing([[0, 0], [181, 0], [0, 4]])?.kind).toBe('range')
    expect(flawOfRing([[0, 0], [Number.NaN, 0], [0, 4]])?.kind).toBe('range')
  })
})

describe('a shape of several rings', () => {
  const hole = at([[1, 1], [2, 1], [2, 2], [1, 2]])
  it('may have holes inside, and other areas apart', () => {
    expect(flawOfShape([[square, hole]])).toBeNull()
    expect(flawOfShape([[square], [at([[10, 0], [12, 0], [12, 2]])]])).toBeNull()
    // An island in a hole.
    expect(flawOfShape([[square, at([[1, 1], [3, 1], [3, 3], [1, 3]])], [at([[1.5, 1.5], [2, 1.5], [2, 2]])]])).toBeNull()
  })
  it('has no hole outside, no outlines that meet, no areas one over the other', () => {
    expect(flawOfShape([[square, at([[10, 1], [12, 1], [12, 2]])]])?.kind).toBe('holeOutside')
    expect(flawOfShape([[square, at([[1, 1], [6, 1], [2, 2]])]])?.kind).toBe('ringsMeet')
    expect(flawOfShape([[square, hole, at([[1.2, 1.2], [1.8, 1.2], [1.8, 1.8]])]])?.kind).toBe('ringsMeet')
    expect(flawOfShape([[square], [hole]])?.kind).toBe('areasOverlap')
    expect(flawOfShape([[hole], [square]])?.kind).toBe('areasOverlap')
    expect(flawOfShape([])?.kind).toBe('few')
  })
  it('goes to GeoJSON and back without a loss', () => {
    const areas = [[square, hole]]
    expect(areasOf({ ...geometryOf(areas) })).toEqual(areas)
    expect(areasOf({ ...geometryOf([[square], [hole]]) })).toEqual([[square], [hole]])
    expect(inside([120.891, 31.981], square)).toBe(true)
    expect(inside([120.899, 31.981], square)).toBe(false)
  })
})

describe('drawing', () => {
  it('refuses what would cross, and keeps what was there', () => {
    const shape = useShape()
    shape.draw()
    for (const point of at([[0, 0], [4, 4], [4, 0]])) expect(shape.add(point)).toBe(true)
    expect(shape.add(at([[0, 4]])[0] as [number, number])).toBe(false)
    expect(shape.refused.value?.kind).toBe('crosses')
    expect(shape.areas.value[0]?.[0]).toHaveLength(3)
    expect(shape.close()).toBe(true)
    expect(shape.remove(0, 1)).toBe(false)
    expect(shape.refused.value?.kind).toBe('few')
    shape.undo()
    expect(shape.open.value).toBe(true)
  })
  it('lets what is typed stand, and mended by the pointer', () => {
    const shape = useShape()
    shape.load([[square]])
    shape.type(0, 1, at([[-1, 2]])[0] as [number, number])
    expect(shape.flaw.value?.kind).toBe('crosses')
    expect(shape.move(0, 1, at([[4, 0]])[0] as [number, number])).toBe(true)
    expect(shape.flaw.value).toBeNull()
    expect(shape.move(0, 1, at([[-1, 2]])[0] as [number, number])).toBe(false)
    expect(shape.areas.value[0]?.[0]?.[1]).toEqual(square[1])
  })
})

describe('coordinates of another datum', () => {
  // As telemetry.geo.to_wgs84 has them: Nantong, Beijing, Urumqi, Haikou; Tokyo is not shifted.
  const WGS84: [Datum, LonLat, LonLat][] = [
    ['gcj02', [120.89, 31.98], [120.885780092, 31.982166108]], ['gcj02', [116.397, 39.909], [116.390759096, 39.907598985]],
    ['gcj02', [87.6, 43.8], [87.597161158, 43.798787448]], ['gcj02', [110.3, 20], [110.295704603, 20.0020856]], ['gcj02', [139.7, 35.7], [139.7, 35.7]],
    ['bd09', [120.89, 31.98], [120.879207332, 31.97639264]], ['bd09', [116.397, 39.909], [116.384372624, 39.90129639]],
    ['bd09', [87.6, 43.8], [87.590789785, 43.792537621]], ['bd09', [110.3, 20], [110.289274244, 19.995841041]], ['bd09', [139.7, 35.7], [139.7, 35.7]],
    ['wgs84', [120.89, 31.98], [120.89, 31.98]],
  ]
  it('come to the same place as on the server', () => {
    for (const [datum, given, expected] of WGS84) {
      const found = toWgs84(datum, given)
      expect(Math.abs(found[0] - expected[0]), datum).toBeLessThan(2e-9)
      expect(Math.abs(found[1] - expected[1]), datum).toBeLessThan(2e-9)
      const back = fromWgs84(datum, found)
      expect(Math.hypot(back[0] - given[0], back[1] - given[1])).toBeLessThan(1e-9)
    }
  })
})

describe('several areas and holes', () => {
  const small = (x: number, y: number): Ring => at([[x, y], [x + 1, y], [x + 1, y + 1], [x, y + 1]])
  it('are drawn one after the other', () => {
    const shape = useShape()
    shape.draw()
    for (const point of square) shape.add(point)
    shape.close()
    shape.drawArea()
    for (const point of small(6, 0)) expect(shape.add(point)).toBe(true)
    expect(shape.close()).toBe(true)
    expect(shape.areas.value.map((area) => area.length)).toEqual([1, 1])
    // The hole goes to the area that its first point lies in, which comes last for it.
    shape.drawHole()
    expect(shape.add(at([[5, 5]])[0] as [number, number])).toBe(false)
    expect(shape.refused.value?.kind).toBe('holeOutside')
    for (const point of small(1, 1)) expect(shape.add(point)).toBe(true)
    expect(shape.drawing.value).toBe(true)
    expect(shape.close()).toBe(true)
    expect(shape.areas.value.map((area) => area.length)).toEqual([1, 2])
    expect(flawOfShape(shape.areas.value)).toBeNull()
    expect(geometryOf(shape.areas.value).type).toBe('MultiPolygon')
    // A second hole over the first one is refused where it begins, and so is an area within another one.
    shape.drawHole()
    expect(shape.add(at([[1.5, 1.5]])[0] as [number, number])).toBe(false)
    shape.giveUp()
    shape.drawArea()
    expect(shape.add(at([[3, 3]])[0] as [number, number])).toBe(false)
    expect(shape.refused.value?.kind).toBe('areasOverlap')
    // An island in the hole is none.
    shape.giveUp()
    shape.drawArea()
    for (const point of at([[1.2, 1.2], [1.8, 1.2], [1.8, 1.8]])) expect(shape.add(point)).toBe(true)
    expect(shape.close()).toBe(true)
  })
  it('are given up, taken back and taken out', () => {
    const shape = useShape()
    shape.load([[square, small(1, 1)], [small(6, 0)]])
    shape.drawArea()
    shape.add(at([[9, 9]])[0] as [number, number])
    shape.giveUp()
    expect(shape.areas.value).toEqual([[square, small(1, 1)], [small(6, 0)]])
    expect(shape.open.value).toBe(false)
    shape.removeRing(1)
    expect(shape.areas.value).toEqual([[square], [small(6, 0)]])
    shape.undo()
    shape.removeRing(0)
    expect(shape.areas.value).toEqual([[small(6, 0)]])
    shape.undo()
    expect(shape.areas.value).toEqual([[square, small(1, 1)], [small(6, 0)]])
  })
  it('may bend around what is drawn: only the edges that are there count', () => {
    const shape = useShape()
    shape.load([[at([[0, 0], [6, 0], [6, 6], [3, 1], [0, 6]])]])
    shape.drawHole()
    for (const point of at([[0.5, 3], [0.5, 0.5], [5.5, 0.5]])) expect(shape.add(point)).toBe(true)
    // The edge that closes it would leave the area.
    expect(shape.close()).toBe(false)
    expect(shape.refused.value?.kind).toBe('ringsMeet')
  })
  it('of a file are shown as far as they can be', () => {
    const good = geometryOf([[square]])
    expect(shownAreas([good, null, 'x', { type: 'Polygon', coordinates: [[['a', 1]]] }, { type: 'Polygon', coordinates: 7 }, { type: 'Point', coordinates: [1, 2] }], 100)).toEqual([[square]])
    expect(shownAreas([good, good, good], 8)).toHaveLength(2)
  })
})

it('reads areas of files with the datum and the unit that were named', () => {
  const geometry = geometryOf([[square]])
  const [row] = rowsOfGeoJson({ type: 'FeatureCollection', features: [{ type: 'Feature', id: 7, properties: { 名称: '停车场', 车辆: 'car-1；car-2' }, geometry }] }, { datum: 'gcj02', organisation: 'jsj' })
  expect(row).toEqual({ id: '7', name: '停车场', organisation: 'jsj', vehicles: ['car-1', 'car-2'], datum: 'gcj02', geometry })
  expect(kmlRing(' 120.1,32.1,0\n 120.2,32.1,0 ')).toEqual([[120.1, 32.1], [120.2, 32.1]])
})

it('knows which version holds', () => {
  const now = Date.parse('2026-03-02T00:00:00Z')
  expect(stateOf({ valid_from: '2026-01-01T00:00:00Z', valid_to: null }, now)).toBe('holds')
  expect(stateOf({ valid_from: '2026-01-01T00:00:00Z', valid_to: '2026-03-02T00:00:00Z' }, now)).toBe('over')
  expect(stateOf({ valid_from: '2026-04-01T00:00:00Z', valid_to: null }, now)).toBe('later')
})
