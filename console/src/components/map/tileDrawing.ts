// The base map on a plain canvas, where there is no WebGL2: the tiles, colours and widths are those that MapLibre is given (baseStyle.ts); names
// stand upright at places and along straight stretches of roads.
import { PALETTES, ROAD_CLASSES, roadWidth, type Palette } from './baseStyle'
import type { TileFeature, TileLayer } from './vectorTile'

interface Named {
  text: string
  english: string
  /** In parts of the tile, 0 to 1. */
  x: number
  y: number
  kind: 'place' | 'label' | 'road'
  class: string
  rank: number
  /** Of a road: the direction of a straight stretch, and how long it is, in parts of the tile. */
  angle: number
  length: number
}
/** A tile as it is drawn: outlines by what they are, in units of the tile. */
export interface DrawnTile {
  extent: number
  areas: Map<string, Path2D>
  water: Path2D
  building: Path2D
  streams: Map<string, Path2D>
  borders: Path2D
  /** By class; those in tunnels apart. */
  roads: Map<string, Path2D>
  tunnels: Map<string, Path2D>
  names: Named[]
}

function trace(path: Path2D, feature: TileFeature): void {
  for (const part of feature.parts) {
    for (let k = 0; k < part.length; k += 2) {
      if (k === 0) path.moveTo(part[0] as number, part[1] as number)
      else path.lineTo(part[k] as number, part[k + 1] as number)
    }
    if (feature.kind === 3) path.closePath()
  }
}
function into(paths: Map<string, Path2D>, name: string, feature: TileFeature): void {
  let path = paths.get(name)
  if (!path) {
    path = new Path2D()
    paths.set(name, path)
  }
  trace(path, feature)
}
const said = (feature: TileFeature, tag: string): string => {
  const value = feature.tags[tag]
  return value === undefined ? '' : String(value)
}

function pointName(feature: TileFeature, kind: 'place' | 'label', extent: number): Named[] {
  const [x, y] = feature.parts[0] ?? []
  if (x === undefined || y === undefined || x < 0 || y < 0 || x >= extent || y >= extent) return []
  const rank = kind === 'place' ? Number(feature.tags.rank ?? 99) : 200
  return [{ text: said(feature, 'name'), english: said(feature, 'name_en'), x: x / extent, y: y / extent, kind, class: said(feature, 'class'), rank, angle: 0, length: 0 }]
}
const MAJOR = ['motorway', 'trunk', 'primary', 'secondary', 'tertiary']
/** The longest straight stretch of a line within the tile. */
function lineName(feature: TileFeature, extent: number): Named[] {
  let best: Named | undefined
  for (const part of feature.parts) {
    for (let k = 2; k < part.length; k += 2) {
      const [x1, y1, x2, y2] = [part[k - 2] as number, part[k - 1] as number, part[k] as number, part[k + 1] as number]
      const length = Math.hypot(x2 - x1, y2 - y1) / extent
      const [x, y] = [(x1 + x2) / 2 / extent, (y1 + y2) / 2 / extent]
      if (length <= (best?.length ?? 0) || x < 0 || y < 0 || x >= 1 || y >= 1) continue
      // Letters are read from the left to the right.
      const angle = Math.atan2(y2 - y1, x2 - x1)
      const upright = angle > Math.PI / 2 ? angle - Math.PI : angle <= -Math.PI / 2 ? angle + Math.PI : angle
      const kind = said(feature, 'class')
      const major = MAJOR.indexOf(kind)
      best = { text: said(feature, 'name'), english: said(feature, 'name_en'), x, y, kind: 'road', class: kind, rank: 300 + (major < 0 ? 9 : major), angle: upright, length }
    }
  }
  return best ? [best] : []
}

export function drawnTile(layers: ReadonlyMap<string, TileLayer>): DrawnTile {
  const extent = [...layers.values()][0]?.extent ?? 4096
  const made: DrawnTile = {
    extent, areas: new Map(), water: new Path2D(), building: new Path2D(), streams: new Map(), borders: new Path2D(), roads: new Map(), tunnels: new Map(), names: [],
  }
  for (const [name, layer] of layers) {
    for (const feature of layer.features) {
      const kind = said(feature, 'class')
      if (name === 'land') into(made.areas, kind, feature)
      else if (name === 'water' && feature.kind === 3) trace(made.water, feature)
      else if (name === 'water') into(made.streams, kind, feature)
      else if (name === 'building') trace(made.building, feature)
      else if (name === 'boundary') trace(made.borders, feature)
      else if (name === 'road') into('tunnel' in feature.tags ? made.tunnels : made.roads, kind, feature)
      if (name === 'place' || name === 'label') made.names.push(...pointName(feature, name, extent))
      else if (name === 'road' && 'name' in feature.tags) made.names.push(...lineName(feature, extent))
    }
  }
  return made
}

/** A tile at its place: pixels of its upper left corner, and how many it has across. */
export interface PlacedTile {
  tile: DrawnTile
  x: number
  y: number
  size: number
  /** What of the canvas is its own: [left, top, width, height] in pixels. */
  clip: [number, number, number, number]
}

type Pen = CanvasRenderingContext2D

/** Draws ``draw`` in each tile's own units; ``pixel``: how many units a pixel is. */
function each(pen: Pen, tiles: readonly PlacedTile[], draw: (tile: DrawnTile, pixel: number) => void): void {
  for (const { tile, x, y, size, clip } of tiles) {
    pen.save()
    pen.beginPath()
    pen.rect(...clip)
    pen.clip()
    pen.translate(x, y)
    pen.scale(size / tile.extent, size / tile.extent)
    draw(tile, tile.extent / size)
    pen.restore()
  }
}

function roads(pen: Pen, tiles: readonly PlacedTile[], of: 'roads' | 'tunnels', classes: readonly string[], zoom: number, more: number, colour: (kind: string) => string): void {
  each(pen, tiles, (tile, pixel) => {
    for (const kind of classes) {
      const path = tile[of].get(kind)
      const width = roadWidth(kind, zoom)
      if (!path || width <= 0.1) continue
      pen.lineWidth = (width + more) * pixel
      pen.strokeStyle = colour(kind)
      pen.stroke(path)
    }
  })
}

/** The ground of everything: ``zoom`` as MapLibre counts it. */
export function drawTiles(pen: Pen, tiles: readonly PlacedTile[], zoom: number, dark: boolean, english: boolean, size: { width: number; height: number }): void {
  const p = PALETTES[dark ? 'dark' : 'light']
  pen.lineJoin = 'round'
  pen.lineCap = 'round'
  each(pen, tiles, (tile) => {
    for (const [kind, colour] of Object.entries(p.areas)) {
      const path = tile.areas.get(kind)
      if (!path) continue
      pen.fillStyle = colour
      pen.fill(path)
    }
  })
  each(pen, tiles, (tile, pixel) => {
    pen.fillStyle = pen.strokeStyle = p.water
    pen.fill(tile.water)
    for (const [kind, path] of tile.streams) {
      const wide = kind === 'river' ? 3.5 : kind === 'canal' ? 2.5 : 1.2
      pen.lineWidth = wide * 1.6 ** Math.max(-3, zoom - 14) * pixel
      pen.stroke(path)
    }
  })
  if (zoom >= 13) {
    each(pen, tiles, (tile) => {
      pen.fillStyle = p.building
      pen.fill(tile.building)
    })
  }
  const cased = ROAD_CLASSES.filter((kind) => kind !== 'path')
  pen.lineCap = 'butt'
  pen.globalAlpha = 0.5
  roads(pen, tiles, 'tunnels', ROAD_CLASSES, zoom, 0, () => p.casing)
  pen.globalAlpha = 1
  if (zoom >= 13) roads(pen, tiles, 'roads', ['path'], zoom, 0, () => p.roads.path as string)
  if (zoom >= 9) roads(pen, tiles, 'roads', cased, zoom, 1.6, () => p.casing)
  pen.lineCap = 'round'
  roads(pen, tiles, 'roads', cased, zoom, 0, (kind) => p.roads[kind] ?? (p.roads.minor as string))
  each(pen, tiles, (tile, pixel) => {
    for (const kind of ['rail', 'metro']) {
      const path = tile.roads.get(kind)
      if (!path || (kind === 'metro' && zoom < 12)) continue
      pen.lineWidth = 1.3 * pixel
      pen.strokeStyle = p.rail
      pen.setLineDash(kind === 'metro' ? [4 * pixel, 3 * pixel] : [])
      pen.stroke(path)
    }
    pen.lineWidth = 1.2 * pixel
    pen.strokeStyle = p.border
    pen.setLineDash([5 * pixel, 3 * pixel])
    pen.stroke(tile.borders)
    pen.setLineDash([])
  })
  drawNames(pen, tiles, zoom, p, english, size)
}

const FONT = '"Noto Sans CJK SC", "Microsoft YaHei", "WenQuanYi Micro Hei", sans-serif'
const BOLD = new Set(['county', 'district', 'borough', 'state', 'province', 'region', 'city', 'municipality'])
/** From this zoom on names of villages and smaller places, and of roads and parks, find room. */
const NAMES_FROM = { place: 5, label: 12, road: 13 }

function drawNames(pen: Pen, tiles: readonly PlacedTile[], zoom: number, p: Palette, english: boolean, { width, height }: { width: number; height: number }): void {
  const names = tiles.flatMap(({ tile, x, y, size, clip }) =>
    tile.names.map((one) => ({ one, x: x + one.x * size, y: y + one.y * size, room: one.length * size }))
      .filter((at) => at.x >= clip[0] && at.y >= clip[1] && at.x < clip[0] + clip[2] && at.y < clip[1] + clip[3]))
  names.sort((a, b) => a.one.rank - b.one.rank)
  const taken: [number, number, number, number][] = []
  const seen = new Map<string, [number, number]>()
  pen.textAlign = 'center'
  pen.textBaseline = 'middle'
  pen.lineJoin = 'round'
  for (const { one, x, y, room } of names) {
    const text = (english && one.english) || one.text
    if (!text || zoom < NAMES_FROM[one.kind]) continue
    const bold = one.kind === 'place' && BOLD.has(one.class)
    const px = one.kind === 'place' ? (bold ? 15 : 12) : 11
    pen.font = `${bold ? 'bold ' : ''}${px}px ${FONT}`
    const wide = pen.measureText(text).width
    // A road says its name where there is a straight stretch for it, and not again nearby.
    if (one.kind === 'road') {
      const before = seen.get(text)
      if (room < wide + 8 || (before && Math.hypot(before[0] - x, before[1] - y) < 320)) continue
    }
    const [sin, cos] = [Math.abs(Math.sin(one.angle)), Math.abs(Math.cos(one.angle))]
    const [halfX, halfY] = [(wide * cos + px * sin) / 2 + 3, (wide * sin + px * cos) / 2 + 3]
    const box: [number, number, number, number] = [x - halfX, y - halfY, x + halfX, y + halfY]
    if (box[0] < 0 || box[1] < 0 || box[2] > width || box[3] > height) continue
    if (taken.some((other) => box[0] < other[2] && other[0] < box[2] && box[1] < other[3] && other[1] < box[3])) continue
    taken.push(box)
    seen.set(text, [x, y])
    pen.save()
    pen.translate(x, y)
    pen.rotate(one.angle)
    pen.lineWidth = 2.8
    pen.strokeStyle = p.halo
    pen.strokeText(text, 0, 0)
    pen.fillStyle = one.class === 'water' ? p.waterText : bold ? p.text : p.faint
    pen.fillText(text, 0, 0)
    pen.restore()
  }
}
