// The track on a canvas: ten thousand fixes in a few strokes a colour. Shapes and words stand over it as SVG.
import { COLOURS, colourOf, INVALID, type Plane, type Track } from './geometry'

/** [left, top, width, height] in metres of the plane. */
export type View = [number, number, number, number]

/** Pixels of the drawing for a view: the same in both directions, the view in the middle. */
export function fitted(view: View, width: number, height: number): { scale: number; left: number; top: number } {
  const scale = Math.min(width / view[2], height / view[3])
  return { scale, left: (width - view[2] * scale) / 2 - view[0] * scale, top: (height - view[3] * scale) / 2 - view[1] * scale }
}

export interface Drawn {
  milliseconds: number
  fixes: number
}

/** ``ratio``: pixels of the screen for one of CSS. */
export function drawTracks(canvas: HTMLCanvasElement, tracks: readonly Track[], plane: Plane, view: View, width: number, height: number, ratio: number): Drawn {
  const began = performance.now()
  canvas.width = Math.round(width * ratio)
  canvas.height = Math.round(height * ratio)
  const context = canvas.getContext('2d')
  if (!context) return { milliseconds: 0, fixes: 0 }
  context.scale(ratio, ratio)
  context.clearRect(0, 0, width, height)
  context.lineJoin = 'round'
  context.lineCap = 'round'
  const { scale, left, top } = fitted(view, width, height)
  let fixes = 0
  for (const track of tracks) {
    const count = track.t.length
    fixes += count
    const [x, y] = [new Float64Array(count), new Float64Array(count)]
    for (let k = 0; k < count; k += 1) {
      x[k] = plane.x(track.lon[k] as number) * scale + left
      y[k] = plane.y(track.lat[k] as number) * scale + top
    }
    const afterGap = new Set(track.gaps.map((gap) => gap.to))
    const lines = new Map<string, Path2D>(COLOURS.map((colour) => [colour, new Path2D()]))
    const dashed = new Path2D()
    let last = -1
    for (let k = 0; k < count; k += 1) {
      if (!track.valid[k]) continue
      if (last >= 0) {
        const path = afterGap.has(k) ? dashed : (lines.get(colourOf(track.kmh[k] as number)) as Path2D)
        path.moveTo(x[last] as number, y[last] as number)
        path.lineTo(x[k] as number, y[k] as number)
      }
      last = k
    }
    context.lineWidth = 3
    for (const [colour, path] of lines) {
      context.strokeStyle = colour
      context.stroke(path)
    }
    context.lineWidth = 1.5
    context.strokeStyle = INVALID
    context.setLineDash([6, 5])
    context.stroke(dashed)
    context.setLineDash([])
    // Single fixes: where they are far enough apart to be seen, and those that are none always.
    const spread = count < 400
    for (let k = 0; k < count; k += 1) {
      const good = track.valid[k] === true
      if (good && !spread) continue
      context.beginPath()
      context.arc(x[k] as number, y[k] as number, good ? 2.2 : 3.5, 0, 7)
      context.fillStyle = good ? colourOf(track.kmh[k] as number) : INVALID
      context.fill()
    }
  }
  return { milliseconds: performance.now() - began, fixes }
}
