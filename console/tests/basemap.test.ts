// What lies under the drawings: datums as the program has them, points that are shown shifted and told unshifted, the style.
import { validateStyleMin } from '@maplibre/maplibre-gl-style-spec'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

import { baseLayers, PALETTES, ROAD_CLASSES, roadWidth } from '@/components/map/baseStyle'
import { convert, fromWgs84, toWgs84, type Datum, type LonLat } from '@/components/map/datum'
import type { Face, FaceEvents, View } from '@/components/map/face'
import { groundOf, NONE, OWN } from '@/components/map/ground'
import { distanceM, HIDDEN, latOf, lonOf, mercatorX, mercatorY, noPoints, type Line, type Points } from '@/components/map/mercator'
import { PlacedFace, placedEvents } from '@/components/map/placedFace'
import { drawnTile } from '@/components/map/tileDrawing'
import { readTile } from '@/components/map/vectorTile'

const rows = JSON.parse(readFileSync('tests/datum.json', 'utf8')) as Record<Datum, LonLat>[]
const off = (a: LonLat, b: LonLat): number => distanceM(a[0], a[1], b[0], b[1])

describe('datums', () => {
  it('are those of the program, to a millimetre', () => {
    expect(rows.length).toBeGreaterThan(10)
    for (const row of rows) {
      for (const datum of ['gcj02', 'bd09'] as const) expect(off(fromWgs84(datum, row.wgs84), row[datum])).toBeLessThan(1e-3)
    }
  })
  it('go there and back', () => {
    for (const row of rows.slice(0, 8)) {
      for (const datum of ['gcj02', 'bd09'] as const) {
        expect(off(toWgs84(datum, row[datum]), row.wgs84)).toBeLessThan(1e-3)
        expect(off(convert('gcj02', datum, row.gcj02), row[datum])).toBeLessThan(1e-3)
      }
    }
    expect(convert('bd09', 'bd09', [120, 31])).toEqual([120, 31])
  })
})

/** A face that keeps what it is told. */
class Told implements Face {
  readonly kind = 'webgl' as const
  points = new Map<string, Points>()
  lines: Line[] = []
  middle: LonLat = [0, 0]
  setGround(): void {}
  setLooks(): void {}
  setPoints(set: string, points: Points): void { this.points.set(set, points) }
  setLines(lines: Line[]): void { this.lines = lines }
  fit(): void {}
  look(): void {}
  moveTo(lon: number, lat: number): void { this.middle = [lon, lat] }
  zoomBy(): void {}
  destroy(): void {}
}
const [here, there] = [rows[0] as Record<Datum, LonLat>, rows[1] as Record<Datum, LonLat>]
function pointsAt(...places: LonLat[]): Points {
  const points = noPoints(places.length)
  points.count = places.length
  places.forEach(([lon, lat], k) => {
    points.x[k] = mercatorX(lon)
    points.y[k] = mercatorY(lat)
    points.look[k] = 0
  })
  return points
}
const placeOf = (points: Points | undefined, k: number): LonLat => [lonOf(points?.x[k] ?? 0), latOf(points?.y[k] ?? 0)]

describe('a ground of another datum', () => {
  it('has everything at its place, and back again', () => {
    const told = new Told()
    const face = new PlacedFace(told)
    const points = pointsAt(here.wgs84, there.wgs84)
    face.setPoints('cars', points)
    face.setLines([{ coordinates: [[...here.wgs84], [...there.wgs84]], colour: '#000000', width: 1 }])
    expect(told.points.get('cars')).toBe(points) // nothing is copied where nothing is shifted
    face.setDatum('gcj02', { lon: here.wgs84[0], lat: here.wgs84[1], metresPerPixel: 1 })
    expect(off(told.middle, here.gcj02)).toBeLessThan(0.01)
    expect(off(placeOf(told.points.get('cars'), 0), here.gcj02)).toBeLessThan(0.01)
    expect(off(placeOf(told.points.get('cars'), 1), there.gcj02)).toBeLessThan(0.01)
    expect(off(told.lines[0]?.coordinates[1] as LonLat, there.gcj02)).toBeLessThan(0.01)
    expect(off(placeOf(points, 0), here.wgs84)).toBeLessThan(0.01) // what was told is not touched
    // The next second one has moved, and one is not shown any more.
    points.x[0] = mercatorX(there.wgs84[0])
    points.y[0] = mercatorY(there.wgs84[1])
    points.look[1] = HIDDEN
    face.setPoints('cars', points)
    expect(off(placeOf(told.points.get('cars'), 0), there.gcj02)).toBeLessThan(0.01)
    expect(told.points.get('cars')?.look[1]).toBe(HIDDEN)
    face.setDatum('wgs84', { lon: here.gcj02[0], lat: here.gcj02[1], metresPerPixel: 1, datum: 'gcj02' })
    expect(told.points.get('cars')).toBe(points)
    expect(off(told.middle, here.wgs84)).toBeLessThan(0.01)
    expect(off(told.lines[0]?.coordinates[0] as LonLat, here.wgs84)).toBeLessThan(0.01)
  })
  it('tells what is pressed in WGS-84, and of what datum its middle is', () => {
    let pressed: LonLat = [0, 0]
    let seen: View | undefined
    const events: FaceEvents = { moved: (view) => { seen = view }, pressed: (x, y) => { pressed = [lonOf(x), latOf(y)] }, dragged: () => undefined }
    const placed = placedEvents(events, () => 'gcj02')
    placed.pressed(mercatorX(here.gcj02[0]), mercatorY(here.gcj02[1]), 1)
    expect(off(pressed, here.wgs84)).toBeLessThan(0.01)
    placed.moved({ lon: 1, lat: 2, metresPerPixel: 3 })
    expect(seen).toEqual({ lon: 1, lat: 2, metresPerPixel: 3, datum: 'gcj02' })
  })
})

describe('the ground', () => {
  const own = { version: '0123456789abcdef', bounds: [120, 31, 122, 33], first_zoom: 5, last_zoom: 14, attribution: 'x', map_date: '', source: 'x' }
  const layer = { name: '天地图', urls: ['https://t0.example.cn/{z}/{x}/{y}'], attribution: 'x', datum: 'wgs84' as const, max_zoom: 18 }
  it('is what a person chose, else our own', () => {
    const said = { state: 'ready' as const, own, layers: [layer] }
    expect(groundOf(said, OWN)?.own).toBe(own)
    expect(groundOf(said, layer.name)?.layer).toBe(layer)
    expect(groundOf(said, 'a layer that was taken away')?.own).toBe(own)
    expect(groundOf(said, NONE)).toBeNull()
    expect(groundOf(undefined, OWN)).toBeNull()
    expect(groundOf({ state: 'missing', own: null, layers: [] }, OWN)).toBeNull()
  })
  it('is a style without a fault, and asks nobody for letters', () => {
    for (const dark of [false, true]) {
      const style = { version: 8 as const, sources: { s: { type: 'vector' as const, tiles: ['https://example.cn/{z}/{x}/{y}'] } }, layers: baseLayers('s', dark, dark) }
      expect(validateStyleMin(style).map((one) => one.message).filter((text) => !text.includes('glyphs'))).toEqual([])
      expect(Object.keys(style)).not.toContain('glyphs')
      expect(new Set(style.layers.map((one) => one.id)).size).toBe(style.layers.length)
    }
    expect(Object.keys(PALETTES.light.areas)).toEqual(Object.keys(PALETTES.dark.areas))
  })
})

/** Written by office/basemap/vector_tile.py (tests/unit/test_basemap.py compares it): what a reader has to find. */
const vector = JSON.parse(readFileSync('../tests/vectors/base_map_tile.json', 'utf8')) as { hex: string; layers: Record<string, { kind: number; tags: Record<string, string | number>; parts: number[][] }[]> }
const tile = Uint8Array.from(vector.hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))

describe('a tile without WebGL2', () => {
  it('is read as it was written', () => {
    const layers = readTile(tile)
    expect([...layers.keys()]).toEqual(Object.keys(vector.layers))
    for (const [name, features] of Object.entries(vector.layers)) {
      expect(layers.get(name)?.extent).toBe(4096)
      expect(layers.get(name)?.features.map((one) => ({ kind: one.kind, tags: one.tags, parts: one.parts.map((part) => [...part]) })), name).toEqual(features)
    }
    expect(readTile(new Uint8Array(0)).size).toBe(0)
  })
  it('that is cut off or spoilt is refused, and never read for ever', () => {
    let refused = 0
    for (let end = 1; end < tile.length; end++) {
      try {
        readTile(tile.subarray(0, end))
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError)
        refused++
      }
    }
    expect(refused).toBeGreaterThan(tile.length / 2)
    for (let at = 0; at < tile.length; at++) {
      const spoilt = Uint8Array.from(tile)
      spoilt[at] = 255
      try {
        readTile(spoilt)
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError)
      }
    }
  })
  it('has its names where they can be read, and roads as wide as on the other map', () => {
    class Outline {
      moveTo(): void {}
      lineTo(): void {}
      closePath(): void {}
    }
    globalThis.Path2D ??= Outline as unknown as typeof Path2D
    const names = drawnTile(readTile(tile)).names
    expect(names.map((one) => [one.kind, one.text, one.english])).toEqual(expect.arrayContaining([['place', '崇川区', 'Chongchuan'], ['road', '人民路', '']]))
    for (const one of names) {
      expect([one.x >= 0 && one.x < 1, one.y >= 0 && one.y < 1]).toEqual([true, true])
      expect(Math.abs(one.angle)).toBeLessThanOrEqual(Math.PI / 2) // never upside down
    }
    expect([roadWidth('motorway', 5), roadWidth('motorway', 14), roadWidth('motorway', 22), roadWidth('path', 10), roadWidth('none', 14)]).toEqual([0.8, 7, 40, 0, 0])
    for (const kind of ROAD_CLASSES) {
      for (let zoom = 5; zoom < 19; zoom += 0.5) expect(roadWidth(kind, zoom + 0.5)).toBeGreaterThanOrEqual(roadWidth(kind, zoom))
      expect(PALETTES.light.roads[kind]).toBeDefined()
    }
  })
})
