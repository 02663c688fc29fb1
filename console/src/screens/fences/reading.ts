// Files of areas as rows of the registry: GeoJSON and KML say neither unit nor datum, so both are named by who imports.
import type { Datum } from './fences'

export interface Named {
  datum: Datum
  organisation: string
}
export type FenceRow = Record<string, unknown>

const text = (value: unknown): string => (typeof value === 'string' ? value.trim() : typeof value === 'number' ? String(value) : '')
function first(given: Record<string, unknown>, names: readonly string[]): string {
  return names.map((name) => text(given[name])).find((one) => one !== '') ?? ''
}
function rowOf(properties: Record<string, unknown>, id: unknown, geometry: unknown, named: Named): FenceRow {
  const own = text(id) || first(properties, ['id', '编号'])
  const vehicles = properties.vehicles ?? properties['车辆']
  const [from, to] = [first(properties, ['valid_from', '生效时间']), first(properties, ['valid_to', '失效时间'])]
  return {
    id: own, name: first(properties, ['name', '名称']) || own, organisation: first(properties, ['organisation', '单位']) || named.organisation,
    ...(Array.isArray(vehicles) ? { vehicles } : text(vehicles) ? { vehicles: text(vehicles).split(/[;；]/).map((one) => one.trim()).filter(Boolean) } : {}),
    datum: named.datum, geometry, ...(from ? { valid_from: from } : {}), ...(to ? { valid_to: to } : {}),
  }
}

/** Whether it is a Feature or a FeatureCollection: anything else of JSON goes to the API as it is. */
export function isGeoJson(value: unknown): boolean {
  return typeof value === 'object' && value !== null && ['Feature', 'FeatureCollection'].includes(String((value as { type?: unknown }).type))
}

export function rowsOfGeoJson(value: unknown, named: Named): FenceRow[] {
  const given = value as { type?: string; features?: unknown[] }
  const features = given.type === 'FeatureCollection' ? (given.features ?? []) : [given]
  return features.map((one) => {
    const feature = (one ?? {}) as { id?: unknown; properties?: Record<string, unknown> | null; geometry?: unknown }
    return rowOf(feature.properties ?? {}, feature.id, feature.geometry, named)
  })
}

/** "120.1,32.1,0 120.2,32.1 …" as a ring. */
export function kmlRing(given: string): number[][] {
  return given.trim().split(/\s+/).map((one) => one.split(',').slice(0, 2).map(Number))
}

const tags = (under: Element | Document, name: string): Element[] => Array.from(under.getElementsByTagNameNS('*', name))

/** The placemarks with an area; null: it is no KML. */
export function rowsOfKml(given: string, named: Named): FenceRow[] | null {
  const read = new DOMParser().parseFromString(given, 'application/xml')
  if (tags(read, 'parsererror').length || read.documentElement.localName !== 'kml') return null
  return tags(read, 'Placemark').flatMap((mark) => {
    const polygons = tags(mark, 'Polygon').map((polygon) =>
      [...tags(polygon, 'outerBoundaryIs'), ...tags(polygon, 'innerBoundaryIs')].map((ring) => kmlRing(tags(ring, 'coordinates')[0]?.textContent ?? '')))
    if (polygons.length === 0) return []
    const data: Record<string, unknown> = {}
    for (const one of tags(mark, 'Data')) data[one.getAttribute('name') ?? ''] = tags(one, 'value')[0]?.textContent ?? ''
    for (const one of tags(mark, 'SimpleData')) data[one.getAttribute('name') ?? ''] = one.textContent ?? ''
    const name = Array.from(mark.children).find((one) => one.localName === 'name')?.textContent?.trim()
    const geometry = polygons.length === 1 ? { type: 'Polygon', coordinates: polygons[0] } : { type: 'MultiPolygon', coordinates: polygons }
    return [rowOf({ ...(name ? { name } : {}), ...data }, mark.getAttribute('id'), geometry, named)]
  })
}
