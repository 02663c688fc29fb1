// Points as pictures, for the map without WebGL2: each look is drawn once for each size and direction, and its pixels are copied to where the
// points stand. One path of 29,000 vehicles takes such a browser a second to fill; to copy as many pictures takes it some 20 ms.
import { HIDDEN, NO_TURN, type Look, type Points } from './mercator'

/** Directions that an arrow is drawn in: one each 10 degrees. */
const TURNS = 36
/** Sizes in parts of a pixel: a map that is drawn closer step by step makes no picture for each step. */
const PARTS = 4
/** Pictures that are kept: all directions of some looks in some sizes. */
const KEPT = 4_000

export interface Sprite {
  /** Pixels across; the middle is that of the point. */
  side: number
  /** Its pixels row by row, as ImageData holds them; 0 = nothing. */
  pixels: Int32Array
}
/** Where the middle of the map is, in the square, and what the picture measures, in its own pixels. */
export interface Place {
  x: number
  y: number
  scale: number
  width: number
  height: number
}
export type DrawSprite = (look: Look, size: number, turn: number, ratio: number) => Sprite

/** The pictures of all looks, made when they are needed first. */
export class Sprites {
  private readonly made = new Map<string, Sprite>()

  constructor(private readonly draw: DrawSprite = drawn) {}

  /** ``size``: pixels of the page across; ``ratio``: pixels of the screen for one of the page; ``turn``: as in Points. */
  of(look: Look, size: number, turn: number, ratio: number): Sprite {
    const step = look.shape === 'arrow' && turn !== NO_TURN ? Math.round((turn * 2 * TURNS) / 360) % TURNS : NO_TURN
    const near = Math.max(1, Math.round(size * PARTS) / PARTS)
    const key = `${look.shape} ${look.colour} ${near} ${step} ${ratio}`
    let found = this.made.get(key)
    if (!found) {
      if (this.made.size >= KEPT) this.made.clear()
      found = this.draw(look, near, step === NO_TURN ? NO_TURN : (step * 360) / TURNS / 2, ratio)
      this.made.set(key, found)
    }
    return found
  }
}

/** Copies the pictures of ``points`` into ``target`` (``place.width`` times ``place.height`` pixels), one look above the other in their order. */
export function copyPoints(target: Int32Array, place: Place, points: Points, looks: readonly Look[], sprites: Sprites, part: number, ratio: number): void {
  const { width, height } = place
  // Which points are of a look, so that thousands are not gone through for each of them.
  const begins = new Int32Array(looks.length + 1)
  for (let k = 0; k < points.count; k++) {
    const kind = points.look[k] as number
    if (kind !== HIDDEN && kind < looks.length) (begins[kind + 1] as number)++
  }
  for (let kind = 0; kind < looks.length; kind++) begins[kind + 1] = (begins[kind + 1] as number) + (begins[kind] as number)
  const next = begins.slice()
  const order = new Int32Array(begins[looks.length] as number)
  for (let k = 0; k < points.count; k++) {
    const kind = points.look[k] as number
    if (kind !== HIDDEN && kind < looks.length) order[(next[kind] as number)++] = k
  }
  looks.forEach((look, kind) => {
    // Of one look there are as many pictures as directions: the name of each is made once.
    const ofTurn: (Sprite | undefined)[] = []
    for (let at = begins[kind] as number; at < (begins[kind + 1] as number); at++) {
      const k = order[at] as number
      const turn = points.turn[k] as number
      const sprite = (ofTurn[turn] ??= sprites.of(look, look.size * part, turn, ratio))
      const left = Math.round(((points.x[k] as number) - place.x) * place.scale + width / 2 - sprite.side / 2)
      const top = Math.round(((points.y[k] as number) - place.y) * place.scale + height / 2 - sprite.side / 2)
      if (left >= 0 && top >= 0 && left + sprite.side <= width && top + sprite.side <= height) copyWhole(target, width, sprite, top * width + left)
      else copyPart(target, width, height, sprite, left, top)
    }
  })
}

/** What there is of a picture, without the nothing round it: first what covers all below it. */
interface Marks {
  /** Of a picture that is so wide. */
  width: number
  /** Where, from the upper left corner on. */
  at: Int32Array
  pixels: Int32Array
  covering: number
}
const marks = new WeakMap<Sprite, Marks>()

function marksOf(sprite: Sprite, width: number): Marks {
  let found = marks.get(sprite)
  if (found?.width !== width) {
    const all = [...sprite.pixels.keys()].filter((k) => (sprite.pixels[k] as number) >>> 24)
    const covers = (k: number): boolean => (sprite.pixels[k] as number) >>> 24 === 255
    const order = [...all.filter(covers), ...all.filter((k) => !covers(k))]
    found = {
      width, at: Int32Array.from(order, (k) => Math.floor(k / sprite.side) * width + (k % sprite.side)),
      pixels: Int32Array.from(order, (k) => sprite.pixels[k] as number), covering: all.filter(covers).length,
    }
    marks.set(sprite, found)
  }
  return found
}

function copyWhole(target: Int32Array, width: number, sprite: Sprite, corner: number): void {
  const { at, pixels, covering } = marksOf(sprite, width)
  for (let k = 0; k < covering; k++) target[corner + (at[k] as number)] = pixels[k] as number
  for (let k = covering; k < at.length; k++) {
    const where = corner + (at[k] as number)
    target[where] = over(pixels[k] as number, target[where] as number)
  }
}

function copyPart(target: Int32Array, width: number, height: number, { side, pixels }: Sprite, left: number, top: number): void {
  if (left >= width || top >= height || left + side <= 0 || top + side <= 0) return
  const [fromX, toX] = [Math.max(0, -left), Math.min(side, width - left)]
  const [fromY, toY] = [Math.max(0, -top), Math.min(side, height - top)]
  for (let y = fromY; y < toY; y++) {
    const row = (top + y) * width + left
    for (let x = fromX; x < toX; x++) {
      const above = pixels[y * side + x] as number
      const alpha = above >>> 24
      if (alpha === 0) continue
      target[row + x] = alpha === 255 ? above : over(above, target[row + x] as number)
    }
  }
}

/** One pixel laid over another; both as ImageData has them, so the colours do not carry their alpha. In whole numbers of 32 bits, which a browser
 * keeps in registers. */
export function over(above: number, below: number): number {
  const a = above >>> 24
  const b = below >>> 24
  if (b === 0) return above | 0
  const rest = b === 255 ? 255 - a : Math.round((b * (255 - a)) / 255)
  const all = a + rest
  const half = all >> 1
  const red = (((above & 255) * a + (below & 255) * rest + half) / all) | 0
  const green = ((((above >>> 8) & 255) * a + ((below >>> 8) & 255) * rest + half) / all) | 0
  const blue = ((((above >>> 16) & 255) * a + ((below >>> 16) & 255) * rest + half) / all) | 0
  return (all << 24) | (blue << 16) | (green << 8) | red
}

function drawn(look: Look, size: number, turn: number, ratio: number): Sprite {
  // An arrow reaches beyond its half by its line, and so does a line of two pixels.
  const side = 2 * Math.ceil((size / 2 + 2) * ratio)
  const canvas = document.createElement('canvas')
  canvas.width = canvas.height = side
  const context = canvas.getContext('2d', { willReadFrequently: true })
  if (!context) return { side: 0, pixels: new Int32Array(0) }
  context.setTransform(ratio, 0, 0, ratio, 0, 0)
  context.lineJoin = 'round'
  context.beginPath()
  shape(context, look, side / ratio / 2, size / 2, turn)
  context.lineWidth = look.shape === 'ring' ? 2 : 1
  context.strokeStyle = look.shape === 'ring' ? look.colour : '#ffffff'
  context.fillStyle = look.colour
  if (look.shape !== 'ring') context.fill()
  context.stroke()
  return { side, pixels: new Int32Array(context.getImageData(0, 0, side, side).data.buffer) }
}

/** The outline of a look round (``middle``, ``middle``). */
function shape(context: CanvasRenderingContext2D, look: Look, middle: number, half: number, turn: number): void {
  const [x, y] = [middle, middle]
  if (look.shape === 'arrow' && turn !== NO_TURN) {
    const angle = (turn * 2 * Math.PI) / 180
    const [s, c] = [Math.sin(angle), Math.cos(angle)]
    const corners: [number, number][] = [[0, 1], [0.62, -0.85], [0, -0.5], [-0.62, -0.85]]
    corners.forEach(([across, along], k) => {
      const [px, py] = [x + half * (across * c + along * s), y + half * (across * s - along * c)]
      if (k === 0) context.moveTo(px, py)
      else context.lineTo(px, py)
    })
    context.closePath()
  } else if (look.shape === 'square') context.rect(x - half * 0.85, y - half * 0.85, half * 1.7, half * 1.7)
  else if (look.shape === 'diamond') {
    context.moveTo(x, y - half)
    context.lineTo(x + half, y)
    context.lineTo(x, y + half)
    context.lineTo(x - half, y)
    context.closePath()
  } else if (look.shape === 'triangle') {
    context.moveTo(x, y - half)
    context.lineTo(x + half, y + half * 0.85)
    context.lineTo(x - half, y + half * 0.85)
    context.closePath()
  } else if (look.shape === 'cross') {
    const arm = half * 0.38
    // The end of the upper arm and the corner on its right, turned four times.
    const quarter: [number, number][] = [[-arm, -half], [arm, -half], [arm, -arm]]
    for (let turned = 0, [c, s] = [1, 0]; turned < 4; turned++, [c, s] = [-s, c]) {
      quarter.forEach(([dx, dy], k) => {
        const [px, py] = [x + dx * c - dy * s, y + dx * s + dy * c]
        if (turned === 0 && k === 0) context.moveTo(px, py)
        else context.lineTo(px, py)
      })
    }
    context.closePath()
  } else {
    context.moveTo(x + half, y)
    context.arc(x, y, half, 0, 2 * Math.PI)
  }
}
