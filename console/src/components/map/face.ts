// What a map can do, whoever draws it: MapLibre (maplibreFace.ts), or a canvas where there is no WebGL2 (canvasFace.ts).
import type { Datum } from './datum'
import type { Ground } from './ground'
import type { Bounds, Line, Look, Points } from './mercator'

/** The middle of the map, in the datum of the ground that is shown (left out: WGS-84). */
export interface View {
  lon: number
  lat: number
  metresPerPixel: number
  datum?: Datum
}

export interface Hover {
  x: number
  y: number
  within: number
  px: number
  py: number
}

export interface FaceEvents {
  moved: (view: View) => void
  /** A click at a place of the square; ``within``: how far a finger may be off. */
  pressed: (x: number, y: number, within: number) => void
  /** The person has moved the map. */
  dragged: () => void
  /** The pointer stands over a place of the square, at a pixel of the map; null: it has left. */
  hovered?: (at: Hover | null) => void
  /** A tile of the ground could not be had; ``gone``: there is no such map any more. */
  groundFailed?: (gone: boolean) => void
}

export interface Face {
  kind: 'webgl' | 'canvas'
  /** What lies under everything; null: nothing. */
  setGround: (ground: Ground | null, dark: boolean, english: boolean) => void
  /** How points are drawn. Later sets of points lie above earlier ones. */
  setLooks: (looks: Look[]) => void
  setPoints: (set: string, points: Points) => void
  setLines: (lines: Line[]) => void
  fit: (bounds: Bounds) => void
  /** Exactly this middle and this scale. */
  look: (view: View) => void
  moveTo: (lon: number, lat: number, closer?: boolean) => void
  zoomBy: (steps: number) => void
  destroy: () => void
}

/** Most looks that the shader has room for. */
export const MOST_LOOKS = 16

let webgl2: boolean | undefined

/** Found out once: to try makes a drawing context. */
export function hasWebgl2(): boolean {
  if (webgl2 === undefined) {
    try {
      const context = document.createElement('canvas').getContext('webgl2')
      context?.getExtension('WEBGL_lose_context')?.loseContext()
      webgl2 = context !== null
    } catch {
      webgl2 = false
    }
  }
  return webgl2
}

/** Begin to fetch what the map is drawn by, for a page that will show one when its data have come. */
export function fetchFace(): void {
  const drawn: Promise<unknown> = hasWebgl2() ? import('./maplibreFace') : import('./canvasFace')
  drawn.catch(() => undefined) // openFace asks again, and tells what is wrong
}

/** The best face that the browser can show. ``still``: nobody can move it or come to it by keys. */
export async function openFace(box: HTMLElement, start: Bounds, events: FaceEvents, still = false): Promise<Face> {
  if (hasWebgl2()) {
    try {
      const { MaplibreFace } = await import('./maplibreFace')
      return await MaplibreFace.open(box, start, events, still)
    } catch {
      // A driver that says that it can and cannot.
      box.textContent = ''
    }
  }
  const { CanvasFace } = await import('./canvasFace')
  return new CanvasFace(box, start, events, still)
}
