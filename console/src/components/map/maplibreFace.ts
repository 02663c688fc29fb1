// The map by MapLibre. Its worker comes from our own address (the policy for content allows no blob). There are no glyphs and no
// sprites in the style: nothing is asked of another host.
import 'maplibre-gl/dist/maplibre-gl.css'

import { Map as MapLibre, setWorkerUrl, type GeoJSONSource } from 'maplibre-gl'
import workerUrl from 'maplibre-gl/dist/maplibre-gl-worker.mjs?worker&url'

import type { Face, FaceEvents } from './face'
import { mercatorX, mercatorY, metresAt, type Bounds, type Line, type Look, type Points } from './mercator'
import { PointLayer } from './pointLayer'

setWorkerUrl(workerUrl)

const CLOSE = 15
const FINGER_PX = 12
const TILE_PX = 512

export class MaplibreFace implements Face {
  readonly kind = 'webgl' as const
  private readonly layers = new Map<string, PointLayer>()
  private looks: Look[] = []

  private constructor(private readonly map: MapLibre) {}

  static async open(box: HTMLElement, start: Bounds, events: FaceEvents): Promise<MaplibreFace> {
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
      dragRotate: false,
      pitchWithRotate: false,
      touchPitch: false,
      maxPitch: 0,
      maxZoom: 19,
      fadeDuration: 0,
      renderWorldCopies: false,
    })
    map.touchZoomRotate.disableRotation()
    map.keyboard.disableRotation()
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
    await new Promise<void>((resolve, reject) => {
      map.once('style.load', () => resolve())
      map.once('error', (event) => reject(event.error))
    }).catch((error: unknown) => {
      map.remove()
      throw error
    })
    told()
    return face
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

