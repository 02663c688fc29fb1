// Callers say places in WGS-84. Where the ground that is shown is GCJ-02, everything is drawn at its place there, and what is pressed there
// is told in WGS-84 again: a shift for the eye, of nothing that is kept.
import { convert, fromWgs84, toWgs84, type Datum } from './datum'
import type { Face, FaceEvents, View } from './face'
import { HIDDEN, latOf, lonOf, mercatorX, mercatorY, type Bounds, type Line, type Look, type Points } from './mercator'

/** Points as they were told, and at their places in the datum that is shown. */
interface Kept {
  told: Points
  x: Float64Array
  y: Float64Array
  shown: Points
}

function shifted(x: number, y: number, to: Datum): [number, number] {
  const [lon, lat] = fromWgs84(to, [lonOf(x), latOf(y)])
  return [mercatorX(lon), mercatorY(lat)]
}

/** ``told`` in ``datum``. What has not moved since the last time is not computed again: thousands stand still. */
export function placedPoints(told: Points, datum: Datum, before?: Kept): Kept {
  const room = told.x.length
  const again = before && before.x.length === room ? before : undefined
  const kept: Kept = again ?? { told, x: new Float64Array(room).fill(Number.NaN), y: new Float64Array(room).fill(Number.NaN), shown: { ...told, x: new Float64Array(room), y: new Float64Array(room) } }
  kept.told = told
  kept.shown = { ...told, x: kept.shown.x, y: kept.shown.y }
  for (let k = 0; k < told.count; k++) {
    const [x, y] = [told.x[k] as number, told.y[k] as number]
    if (told.look[k] === HIDDEN || (kept.x[k] === x && kept.y[k] === y)) continue
    const [px, py] = shifted(x, y, datum)
    kept.x[k] = x
    kept.y[k] = y
    kept.shown.x[k] = px
    kept.shown.y[k] = py
  }
  return kept
}

/** ``events`` for the face below: what it tells is turned into WGS-84. ``datum``: that of the ground now. */
export function placedEvents(events: FaceEvents, datum: () => Datum): FaceEvents {
  return {
    dragged: events.dragged,
    moved: (view) => events.moved({ ...view, datum: datum() }),
    pressed: (x, y, within) => {
      const [lon, lat] = toWgs84(datum(), [lonOf(x), latOf(y)])
      events.pressed(mercatorX(lon), mercatorY(lat), within)
    },
    hovered: (at) => {
      if (!at) {
        events.hovered?.(null)
        return
      }
      const [lon, lat] = toWgs84(datum(), [lonOf(at.x), latOf(at.y)])
      events.hovered?.({ ...at, x: mercatorX(lon), y: mercatorY(lat) })
    },
  }
}

export class PlacedFace implements Face {
  readonly kind
  private readonly sets = new Map<string, Points>()
  private readonly placed = new Map<string, Kept>()
  private lines: Line[] = []
  private datum: Datum = 'wgs84'

  constructor(private readonly face: Face) {
    this.kind = face.kind
  }

  /** The ground has another datum: all is drawn anew at its place there, and the same place stays in the middle. */
  setDatum(datum: Datum, view: View | null): void {
    if (datum === this.datum) return
    const centre = view ? convert(this.datum, datum, [view.lon, view.lat]) : null
    this.datum = datum
    this.placed.clear()
    if (centre) this.face.moveTo(centre[0], centre[1])
    this.setLines(this.lines)
    this.sets.forEach((points, set) => this.setPoints(set, points))
  }

  setGround(...told: Parameters<Face['setGround']>): void {
    this.face.setGround(...told)
  }

  setLooks(looks: Look[]): void {
    this.face.setLooks(looks)
  }

  setPoints(set: string, points: Points): void {
    this.sets.set(set, points)
    if (this.datum === 'wgs84') {
      this.face.setPoints(set, points)
      return
    }
    const kept = placedPoints(points, this.datum, this.placed.get(set))
    this.placed.set(set, kept)
    this.face.setPoints(set, kept.shown)
  }

  setLines(lines: Line[]): void {
    this.lines = lines
    const datum = this.datum
    this.face.setLines(datum === 'wgs84' ? lines : lines.map((line) => ({ ...line, coordinates: line.coordinates.map((place) => fromWgs84(datum, place)) })))
  }

  fit(bounds: Bounds): void {
    const [west, south] = fromWgs84(this.datum, [bounds.west, bounds.south])
    const [east, north] = fromWgs84(this.datum, [bounds.east, bounds.north])
    this.face.fit({ west, south, east, north })
  }

  look(view: View): void {
    const [lon, lat] = convert(view.datum ?? 'wgs84', this.datum, [view.lon, view.lat])
    this.face.look({ ...view, lon, lat })
  }

  moveTo(lon: number, lat: number, closer?: boolean): void {
    const [x, y] = fromWgs84(this.datum, [lon, lat])
    this.face.moveTo(x, y, closer)
  }

  zoomBy(steps: number): void {
    this.face.zoomBy(steps)
  }

  destroy(): void {
    this.face.destroy()
  }
}
