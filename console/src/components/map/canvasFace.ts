// The map where there is no WebGL2: the ground (canvasGround.ts), points and lines on a plain canvas. It can be moved by pointer, wheel and
// keyboard.
import { CanvasGround } from './canvasGround'
import type { Face, FaceEvents, View } from './face'
import type { Ground } from './ground'
import { latOf, lonOf, mercatorX, mercatorY, metresAt, shrunk, type Bounds, type Line, type Look, type Points } from './mercator'
import { copyPoints, Sprites } from './sprites'

const CLOSE_SCALE = 512 * 2 ** 15
const LEAST_SCALE = 512
const MOST_SCALE = 512 * 2 ** 19
const FINGER_PX = 12
const STEP_PX = 80

export class CanvasFace implements Face {
  readonly kind = 'canvas' as const
  private readonly canvas = document.createElement('canvas')
  private readonly sets = new Map<string, Points>()
  private readonly observer: ResizeObserver
  /** Of all points. */
  private readonly picture = document.createElement('canvas')
  private pixels: ImageData | null = null
  private readonly sprites = new Sprites()
  private looks: Look[] = []
  private lines: { line: Line; x: Float64Array; y: Float64Array }[] = []
  private x = 0.5
  private y = 0.5
  /** Pixels of the whole square. */
  private scale = LEAST_SCALE
  private asked = 0
  private ended = false
  private waiting: Bounds | null
  private readonly held = new Map<number, { x: number; y: number }>()
  private travelled = 0

  private readonly ground: CanvasGround

  /** ``still``: nobody can move it or come to it by keys. */
  constructor(private readonly box: HTMLElement, start: Bounds, private readonly events: FaceEvents, still = false) {
    this.waiting = start
    this.ground = new CanvasGround(() => this.ask(), (gone) => events.groundFailed?.(gone))
    this.canvas.className = 'plain-map'
    if (!still) this.canvas.tabIndex = 0
    box.append(this.canvas)
    this.observer = new ResizeObserver(() => this.resize())
    this.observer.observe(box)
    if (!still) this.listen()
    this.resize()
  }

  setGround(ground: Ground | null, dark: boolean, english: boolean): void {
    this.ground.setGround(ground, dark, english)
  }

  setLooks(looks: Look[]): void {
    this.looks = looks
    this.ask()
  }

  setPoints(set: string, points: Points): void {
    this.sets.set(set, points)
    this.ask()
  }

  setLines(lines: Line[]): void {
    this.lines = lines.map((line) => ({
      line,
      x: Float64Array.from(line.coordinates, ([lon]) => mercatorX(lon)),
      y: Float64Array.from(line.coordinates, ([, lat]) => mercatorY(lat)),
    }))
    this.ask()
  }

  fit(bounds: Bounds): void {
    const { clientWidth: width, clientHeight: height } = this.box
    if (!width || !height) {
      this.waiting = bounds
      return
    }
    const [left, right] = [mercatorX(bounds.west), mercatorX(bounds.east)]
    const [top, bottom] = [mercatorY(bounds.north), mercatorY(bounds.south)]
    this.x = (left + right) / 2
    this.y = (top + bottom) / 2
    const wanted = Math.min((width - 80) / Math.max(1e-9, right - left), (height - 80) / Math.max(1e-9, bottom - top))
    this.scale = Math.max(LEAST_SCALE, Math.min(CLOSE_SCALE, wanted))
    this.changed()
  }

  look(view: View): void {
    this.scale = metresAt(view.lat) / view.metresPerPixel
    this.moveTo(view.lon, view.lat)
  }

  moveTo(lon: number, lat: number, closer = false): void {
    this.x = mercatorX(lon)
    this.y = mercatorY(lat)
    if (closer) this.scale = Math.max(this.scale, CLOSE_SCALE)
    this.changed()
  }

  zoomBy(steps: number): void {
    this.zoomAt(steps, this.box.clientWidth / 2, this.box.clientHeight / 2)
  }

  destroy(): void {
    this.ended = true
    this.observer.disconnect()
    this.ground.destroy()
    this.canvas.remove()
  }

  private zoomAt(steps: number, px: number, py: number): void {
    const next = Math.max(LEAST_SCALE, Math.min(MOST_SCALE, this.scale * 2 ** steps))
    const [dx, dy] = [px - this.box.clientWidth / 2, py - this.box.clientHeight / 2]
    this.x += dx / this.scale - dx / next
    this.y += dy / this.scale - dy / next
    this.scale = next
    this.changed()
  }

  private resize(): void {
    const ratio = window.devicePixelRatio
    this.canvas.width = Math.round(this.box.clientWidth * ratio)
    this.canvas.height = Math.round(this.box.clientHeight * ratio)
    if (this.waiting && this.box.clientWidth && this.box.clientHeight) {
      const bounds = this.waiting
      this.waiting = null
      this.fit(bounds)
    } else this.changed()
  }

  private changed(): void {
    delete this.box.dataset.drawn
    const lat = latOf(this.y)
    this.events.moved({ lon: lonOf(this.x), lat, metresPerPixel: metresAt(lat) / this.scale })
    this.ask()
  }

  private ask(): void {
    if (this.asked || this.ended) return
    this.asked = requestAnimationFrame(() => {
      this.asked = 0
      if (!this.ended) this.draw()
    })
  }

  private listen(): void {
    const canvas = this.canvas
    canvas.addEventListener('pointerdown', (event) => {
      canvas.setPointerCapture(event.pointerId)
      this.held.set(event.pointerId, { x: event.offsetX, y: event.offsetY })
      this.travelled = 0
    })
    canvas.addEventListener('pointermove', (event) => {
      const before = this.held.get(event.pointerId)
      if (!before && event.pointerType === 'mouse') {
        const [dx, dy] = [event.offsetX - this.box.clientWidth / 2, event.offsetY - this.box.clientHeight / 2]
        this.events.hovered?.({ x: this.x + dx / this.scale, y: this.y + dy / this.scale, within: FINGER_PX / this.scale, px: event.offsetX, py: event.offsetY })
      }
      if (!before || this.held.size !== 1) return
      const [dx, dy] = [event.offsetX - before.x, event.offsetY - before.y]
      this.travelled += Math.abs(dx) + Math.abs(dy)
      this.held.set(event.pointerId, { x: event.offsetX, y: event.offsetY })
      this.x -= dx / this.scale
      this.y -= dy / this.scale
      if (this.travelled > 4) this.events.dragged()
      this.changed()
    })
    const up = (event: PointerEvent): void => {
      if (!this.held.delete(event.pointerId) || event.type === 'pointercancel' || this.travelled > 4) return
      const [dx, dy] = [event.offsetX - this.box.clientWidth / 2, event.offsetY - this.box.clientHeight / 2]
      this.events.pressed(this.x + dx / this.scale, this.y + dy / this.scale, FINGER_PX / this.scale)
    }
    canvas.addEventListener('pointerup', up)
    canvas.addEventListener('pointercancel', up)
    canvas.addEventListener('pointerleave', () => this.events.hovered?.(null))
    canvas.addEventListener('wheel', (event) => {
      event.preventDefault()
      this.zoomAt(-Math.max(-1, Math.min(1, event.deltaY / 300)), event.offsetX, event.offsetY)
    }, { passive: false })
    canvas.addEventListener('keydown', (event) => {
      const moves: Record<string, [number, number]> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }
      const move = moves[event.key]
      if (move) {
        this.x += (move[0] * STEP_PX) / this.scale
        this.y += (move[1] * STEP_PX) / this.scale
        this.events.dragged()
        this.changed()
      } else if (event.key === '+' || event.key === '=') this.zoomBy(1)
      else if (event.key === '-') this.zoomBy(-1)
      else return
      event.preventDefault()
    })
  }

  private draw(): void {
    const context = this.canvas.getContext('2d')
    if (!context) return
    const ratio = window.devicePixelRatio
    const [width, height] = [this.box.clientWidth, this.box.clientHeight]
    context.setTransform(ratio, 0, 0, ratio, 0, 0)
    context.clearRect(0, 0, width, height)
    this.ground.draw(context, { x: this.x, y: this.y, scale: this.scale, width, height })
    // What is drawn by now, for who waits for a picture.
    if (this.ground.whole) this.box.dataset.drawn = this.ground.whole
    else delete this.box.dataset.drawn
    context.lineJoin = 'round'
    for (const { line, x, y } of this.lines) {
      context.beginPath()
      context.strokeStyle = line.colour
      context.lineWidth = line.width
      context.setLineDash(line.dashed ? [6, 6] : [])
      for (let k = 0; k < x.length; k++) {
        context.lineTo(((x[k] as number) - this.x) * this.scale + width / 2, ((y[k] as number) - this.y) * this.scale + height / 2)
      }
      context.stroke()
    }
    context.setLineDash([])
    this.drawPoints(context, width, height, ratio)
  }

  /** All points in one picture of the canvas's own pixels. */
  private drawPoints(context: CanvasRenderingContext2D, width: number, height: number, ratio: number): void {
    const [across, down] = [this.canvas.width, this.canvas.height]
    if (![...this.sets.values()].some((points) => points.count) || !across || !down) return
    if (this.picture.width !== across || this.picture.height !== down || !this.pixels) {
      this.picture.width = across
      this.picture.height = down
      this.pixels = new ImageData(across, down)
    }
    const target = new Int32Array(this.pixels.data.buffer)
    target.fill(0)
    const place = { x: this.x, y: this.y, scale: this.scale * ratio, width: across, height: down }
    this.sets.forEach((points) => copyPoints(target, place, points, this.looks, this.sprites, points.shrinks ? shrunk(Math.log2(this.scale / 512)) : 1, ratio))
    this.picture.getContext('2d')?.putImageData(this.pixels, 0, 0)
    context.drawImage(this.picture, 0, 0, width, height)
  }
}
