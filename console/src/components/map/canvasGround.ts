// What lies under the drawings of a map without WebGL2: fetches the tiles that are seen, draws them once into a picture, and shows that picture
// while the map is moved and until the next one is made.
import type { Ground } from './ground'
import { drawTiles, drawnTile, type DrawnTile, type PlacedTile } from './tileDrawing'
import { readTile } from './vectorTile'
import { PALETTES } from './baseStyle'

export interface Looked {
  /** The middle, in the square. */
  x: number
  y: number
  /** Pixels of the whole square. */
  scale: number
  width: number
  height: number
}
/** Loading; of our own; a picture of others; nothing there. */
type Tile = { state: 'loading' | 'none' } | { state: 'own'; tile: DrawnTile } | { state: 'picture'; image: HTMLImageElement }

const TILE_PX = 512
const PICTURE_PX = 256
/** Tiles that are kept; more are not seen at a time. */
const KEPT = 160
/** After the map stands still for so long it is drawn anew. */
const STILL_MS = 90

export class CanvasGround {
  private ground: Ground | null = null
  private dark = false
  private english = false
  private readonly tiles = new Map<string, Tile>()
  private readonly picture = document.createElement('canvas')
  /** What the picture shows; null: it is of no use. */
  private made: Looked | null = null
  private wanted: Looked | null = null
  private timer = 0
  private control = new AbortController()

  constructor(private readonly changed: () => void, private readonly failed: (gone: boolean) => void) {}

  /** The key of the ground whose tiles all are in the picture; '': not yet. */
  whole = ''

  setGround(ground: Ground | null, dark: boolean, english: boolean): void {
    if (ground?.key !== this.ground?.key) {
      this.control.abort()
      this.control = new AbortController()
      this.tiles.clear()
    }
    this.ground = ground
    this.dark = dark
    this.english = english
    this.made = null
    this.whole = ''
    this.changed()
  }

  destroy(): void {
    window.clearTimeout(this.timer)
    this.control.abort()
  }

  /** Shows the picture, shifted and scaled to what is looked at now; asks for a better one. */
  draw(pen: CanvasRenderingContext2D, now: Looked): void {
    if (!this.ground) return
    pen.fillStyle = PALETTES[this.dark ? 'dark' : 'light'].land
    pen.fillRect(0, 0, now.width, now.height)
    const before = this.made
    if (before) {
      const times = now.scale / before.scale
      const left = (before.x - now.x) * now.scale + now.width / 2 - (before.width / 2) * times
      const top = (before.y - now.y) * now.scale + now.height / 2 - (before.height / 2) * times
      pen.drawImage(this.picture, left, top, before.width * times, before.height * times)
    }
    if (before && before.x === now.x && before.y === now.y && before.scale === now.scale && before.width === now.width && before.height === now.height) return
    this.whole = ''
    this.wanted = now
    if (!before) this.paint()
    else {
      window.clearTimeout(this.timer)
      this.timer = window.setTimeout(() => this.paint(), STILL_MS)
    }
  }

  private paint(): void {
    window.clearTimeout(this.timer)
    this.timer = 0
    const [looked, ground] = [this.wanted ?? this.made, this.ground]
    if (!looked || !ground || !looked.width || !looked.height) return
    const ratio = window.devicePixelRatio
    this.picture.width = Math.round(looked.width * ratio)
    this.picture.height = Math.round(looked.height * ratio)
    const pen = this.picture.getContext('2d')
    if (!pen) return
    pen.setTransform(ratio, 0, 0, ratio, 0, 0)
    pen.fillStyle = PALETTES[this.dark ? 'dark' : 'light'].land
    pen.fillRect(0, 0, looked.width, looked.height)
    const all = ground.own ? this.paintOwn(pen, looked, ground) : this.paintPictures(pen, looked, ground)
    this.made = looked
    this.wanted = null
    this.whole = all ? ground.key : ''
    this.changed()
  }

  /** A tile has come: the picture is made anew, once for all that come together. */
  private came(): void {
    this.wanted ??= this.made
    if (!this.timer) this.timer = window.setTimeout(() => this.paint(), STILL_MS)
  }

  /** The tiles in sight: [x, y, left, top, size]. */
  private inSight({ x, y, scale, width, height }: Looked, z: number): [number, number, number, number, number][] {
    const count = 2 ** z
    const size = scale / count
    const [left, top] = [x * scale - width / 2, y * scale - height / 2]
    const found: [number, number, number, number, number][] = []
    for (let row = Math.max(0, Math.floor(top / size)); row < Math.min(count, (top + height) / size); row++) {
      for (let column = Math.max(0, Math.floor(left / size)); column < Math.min(count, (left + width) / size); column++) {
        found.push([column, row, column * size - left, row * size - top, size])
      }
    }
    return found
  }

  private paintOwn(pen: CanvasRenderingContext2D, looked: Looked, ground: Ground & { own: object }): boolean {
    const { first_zoom: first, last_zoom: last, version } = ground.own
    const zoom = Math.log2(looked.scale / TILE_PX)
    if (zoom < first) return true
    const z = Math.min(last, Math.floor(zoom))
    const placed: PlacedTile[] = []
    let all = true
    for (const [column, row, x, y, size] of this.inSight(looked, z)) {
      const clip: PlacedTile['clip'] = [x, y, size, size]
      const tile = this.own(version, z, column, row)
      if (tile.state === 'own') placed.push({ tile: tile.tile, x, y, size, clip })
      if (tile.state !== 'loading') continue
      all = false
      // Meanwhile that of a wider map, as far as it is there.
      for (let up = 1; z - up >= first; up++) {
        const above = this.tiles.get(`${z - up}/${column >> up}/${row >> up}`)
        if (above?.state !== 'own') continue
        const wide = size * 2 ** up
        placed.push({ tile: above.tile, x: x - (column - ((column >> up) << up)) * size, y: y - (row - ((row >> up) << up)) * size, size: wide, clip })
        break
      }
    }
    drawTiles(pen, placed, zoom, this.dark, this.english, looked)
    return all
  }

  private own(version: string, z: number, x: number, y: number): Tile {
    return this.tile(`${z}/${x}/${y}`, async (signal) => {
      const answer = await fetch(`/v1/basemap/${version}/${z}/${x}/${y}`, { signal })
      if (answer.status === 204) return { state: 'none' }
      if (!answer.ok) {
        this.failed(answer.status === 410)
        return { state: 'none' }
      }
      return { state: 'own', tile: drawnTile(readTile(new Uint8Array(await answer.arrayBuffer()))) }
    })
  }

  private paintPictures(pen: CanvasRenderingContext2D, looked: Looked, ground: Ground & { layer: object }): boolean {
    const { urls, max_zoom: last } = ground.layer
    const z = Math.max(0, Math.min(last, Math.round(Math.log2(looked.scale / PICTURE_PX))))
    let all = true
    urls.forEach((url, k) => {
      for (const [column, row, x, y, size] of this.inSight(looked, z)) {
        const tile = this.tile(`${k}:${z}/${column}/${row}`, () => pictureOf(url.replace('{z}', String(z)).replace('{x}', String(column)).replace('{y}', String(row)), () => this.failed(false)))
        if (tile.state === 'picture') pen.drawImage(tile.image, x, y, size, size)
        else if (tile.state === 'loading') all = false
      }
    })
    return all
  }

  private tile(key: string, load: (signal: AbortSignal) => Promise<Tile>): Tile {
    const known = this.tiles.get(key)
    if (known) {
      // The last one to be dropped.
      this.tiles.delete(key)
      this.tiles.set(key, known)
      return known
    }
    const loading: Tile = { state: 'loading' }
    this.tiles.set(key, loading)
    for (const old of this.tiles.keys()) {
      if (this.tiles.size <= KEPT) break
      this.tiles.delete(old)
    }
    void this.take(key, load, this.control.signal)
    return loading
  }

  private async take(key: string, load: (signal: AbortSignal) => Promise<Tile>, signal: AbortSignal): Promise<void> {
    let tile: Tile = { state: 'none' }
    try {
      tile = await load(signal)
    } catch {
      // A tile that cannot be had or read is a hole: the map goes on without it.
      if (!signal.aborted) this.failed(false)
    }
    if (signal.aborted || !this.tiles.has(key)) return
    this.tiles.set(key, tile)
    this.came()
  }
}

function pictureOf(address: string, failed: () => void): Promise<Tile> {
  return new Promise((resolve) => {
    const image = new Image()
    image.referrerPolicy = 'no-referrer'
    image.addEventListener('load', () => resolve({ state: 'picture', image }))
    image.addEventListener('error', () => {
      failed()
      resolve({ state: 'none' })
    })
    image.src = address
  })
}
