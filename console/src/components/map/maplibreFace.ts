// The map by MapLibre. Its worker comes from our own address (the policy for content allows no blob). There are no glyphs and no
// sprites in the style: letters are drawn from the fonts of the desktop, and nothing is asked of another host unless the settings name one.
import 'maplibre-gl/dist/maplibre-gl.css'

import { Map as MapLibre, setWorkerUrl, type GeoJSONSource } from 'maplibre-gl'
import workerUrl from 'maplibre-gl/dist/maplibre-gl-worker.mjs?worker&url'

import { BASE, baseLayers } from './baseStyle'
import type { Face, FaceEvents, View } from './face'
import type { Ground } from './ground'
import { mercatorX, mercatorY, metresAt, type Bounds, type Line, type Look, type Points } from './mercator'
import { PointLayer } from './pointLayer'

setWorkerUrl(workerUrl)

const CLOSE = 15
const FINGER_PX = 12
const TILE_PX = 512

/** The source of a map of one's own: by its version, so that the tiles stay when only the colours change. */
function sourceOf(ground: Ground | null): string {
  return ground?.own ? `${BASE}:${ground.own.version}` : ''
}

export class MaplibreFace implements Face {
  readonly kind = 'webgl' as const
  private readonly layers = new Map<string, PointLayer>()
  private looks: Look[] = []
  private ground: Ground | null = null

  private constructor(private readonly map: MapLibre) {}

  /** ``still``: nobody can move it or come to it by keys. */
  static async open(box: HTMLElement, start: Bounds, events: FaceEvents, still = false): Promise<MaplibreFace> {
    const map = new MapLibre({
      container: box,
      style: {
        version: 8,
        sources: { lines: { type: 'geojson', data: { type: 'FeatureCollection', features: [] }, tolerance: 0.1 } },
        layers: [
          {
            id: 'lines', type: 'line', source: 'lines', filter: ['!', ['get', 'dashed']], layout: { 'line-join': 'round', 'line-cap': 'round' },
            paint: { 'line-color': ['get', 'colour'], 'line-width': ['get', 'width'] },
          },
          {
            id: 'dashed', type: 'line', source: 'lines', filter: ['get', 'dashed'],
            paint: { 'line-color': ['get', 'colour'], 'line-width': ['get', 'width'], 'line-dasharray': [2, 2] },
          },
        ],
      },
      bounds: [start.west, start.south, start.east, start.north],
      fitBoundsOptions: { padding: 40 },
      attributionControl: false,
      interactive: !still,
      dragRotate: false,
      pitchWithRotate: false,
      touchPitch: false,
      maxPitch: 0,
      maxZoom: 19,
      fadeDuration: 0,
      renderWorldCopies: false,
    })
    if (!still) {
      map.touchZoomRotate.disableRotation()
      map.keyboard.disableRotation()
    }
    const face = new MaplibreFace(map)
    const told = (): void => {
      const centre = map.getCenter()
      events.moved({ lon: centre.lng, lat: centre.lat, metresPerPixel: face.worldPerPixel() * metresAt(centre.lat) })
    }
    map.on('move', told)
    map.on('resize', told)
    map.on('dragstart', () => events.dragged())
    map.on('click', (event) => {
      events.pressed(mercatorX(event.lngLat.lng), mercatorY(event.lngLat.lat), FINGER_PX * face.worldPerPixel())
    })
    map.on('mousemove', ({ lngLat, point }) => {
      events.hovered?.({ x: mercatorX(lngLat.lng), y: mercatorY(lngLat.lat), within: FINGER_PX * face.worldPerPixel(), px: point.x, py: point.y })
    })
    map.on('mouseout', () => events.hovered?.(null))
    await new Promise<void>((resolve, reject) => {
      map.once('style.load', () => resolve())
      map.once('error', (event) => reject(event.error))
    }).catch((error: unknown) => {
      map.remove()
      throw error
    })
    map.on('error', (event) => {
      const error = event.error as Error & { status?: number }
      // A tile that could not be had is no fault of the page: it goes on without it.
      if (error.status !== undefined || error.name === 'TypeError') events.groundFailed?.(error.status === 410)
      else window.setTimeout(() => { throw error }) // one of ours, told as such
    })
    // What is drawn by now, for who waits for a picture.
    map.on('movestart', () => delete box.dataset.drawn)
    map.on('idle', () => {
      box.dataset.drawn = face.ground?.key ?? 'none'
    })
    told()
    return face
  }

  setGround(ground: Ground | null, dark: boolean, english: boolean): void {
    const map = this.map
    this.ground = ground
    delete map.getContainer().dataset.drawn
    for (const { id } of map.getStyle().layers) if (id.startsWith(`${BASE}-`)) map.removeLayer(id)
    for (const id of Object.keys(map.getStyle().sources)) if (id.startsWith(BASE) && id !== sourceOf(ground)) map.removeSource(id)
    if (ground?.own) {
      const { version, bounds, first_zoom: minzoom, last_zoom: maxzoom } = ground.own
      const source = sourceOf(ground)
      if (!map.getSource(source)) {
        map.addSource(source, { type: 'vector', tiles: [`${window.location.origin}/v1/basemap/${version}/{z}/{x}/{y}`], bounds: bounds as [number, number, number, number], minzoom, maxzoom })
      }
      baseLayers(source, dark, english).forEach((layer) => map.addLayer(layer, 'lines'))
    }
    ground?.layer?.urls.forEach((url, k) => {
      const id = `${BASE}-${k}`
      map.addSource(id, { type: 'raster', tiles: [url], tileSize: 256, maxzoom: ground.layer.max_zoom })
      map.addLayer({ id, type: 'raster', source: id, paint: { 'raster-fade-duration': 0, 'raster-brightness-max': dark ? 0.65 : 1 } }, 'lines')
    })
  }

  setLooks(looks: Look[]): void {
    this.looks = looks
    this.layers.forEach((layer) => layer.setLooks(looks))
  }

  setPoints(set: string, points: Points): void {
    let layer = this.layers.get(set)
    if (!layer) {
      layer = new PointLayer(`points-${set}`)
      layer.setLooks(this.looks)
      this.layers.set(set, layer)
      this.map.addLayer(layer)
    }
    layer.setPoints(points)
  }

  setLines(lines: Line[]): void {
    void this.map.getSource<GeoJSONSource>('lines')?.setData({
      type: 'FeatureCollection',
      features: lines.map((line) => ({
        type: 'Feature',
        properties: { colour: line.colour, width: line.width, dashed: line.dashed === true },
        geometry: { type: 'LineString', coordinates: line.coordinates },
      })),
    })
  }

  fit(bounds: Bounds): void {
    this.map.fitBounds([bounds.west, bounds.south, bounds.east, bounds.north], { padding: 40, maxZoom: CLOSE, animate: false })
  }

  look({ lon, lat, metresPerPixel }: View): void {
    this.map.jumpTo({ center: [lon, lat], zoom: Math.log2(metresAt(lat) / (TILE_PX * metresPerPixel)) })
  }

  moveTo(lon: number, lat: number, closer = false): void {
    const zoom = this.map.getZoom()
    this.map.jumpTo({ center: [lon, lat], zoom: closer ? Math.max(zoom, CLOSE) : zoom })
  }

  zoomBy(steps: number): void {
    this.map.zoomTo(this.map.getZoom() + steps, { animate: false })
  }

  destroy(): void {
    this.map.remove()
  }

  /** How much of the square a pixel is. */
  private worldPerPixel(): number {
    return 1 / (TILE_PX * 2 ** this.map.getZoom())
  }
}

