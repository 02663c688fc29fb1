// How the base map looks, light and dark: pale, so that vehicles, tracks and fences stand out. Letters are drawn from the fonts of the
// desktop (no glyphs are fetched), Chinese ones as well. Layers and classes are those of office/basemap/classes.py.
import type { ExpressionSpecification, LayerSpecification } from 'maplibre-gl'

/** What belongs to the base map begins with it. */
export const BASE = 'base'

export interface Palette {
  land: string
  /** Classes of land that are drawn. */
  areas: Record<string, string>
  water: string
  waterText: string
  building: string
  border: string
  casing: string
  roads: Record<string, string>
  rail: string
  text: string
  faint: string
  halo: string
}

export const PALETTES: Record<'light' | 'dark', Palette> = {
  light: {
    land: '#f5f4f0',
    areas: {
      wood: '#dfe9d6', grass: '#e7eedf', park: '#d8e9cf', farm: '#f0f1e4', residential: '#eeebe6', industrial: '#ece8ee', commercial: '#f3ebe4', school: '#f1ecda',
      hospital: '#f6e7e5', wetland: '#dde9e4', sand: '#f4ecd6', airport: '#e8e8ee', parking: '#ecebe9',
    },
    water: '#c2dae9', waterText: '#2f5f80', building: '#e0dcd5', border: '#8d7fa3', casing: '#cdc8bf',
    roads: { motorway: '#f2cd88', trunk: '#f6dca6', primary: '#fae9c4', secondary: '#ffffff', tertiary: '#ffffff', minor: '#ffffff', service: '#ffffff', path: '#d9cfc0' },
    rail: '#b4b2b6', text: '#3a3f47', faint: '#5a5f66', halo: '#fbfaf7',
  },
  dark: {
    land: '#20252b',
    areas: {
      wood: '#222e28', grass: '#242d2a', park: '#22322a', farm: '#23292a', residential: '#252a31', industrial: '#272a33', commercial: '#2a2a2f', school: '#2b2b2a',
      hospital: '#2e292c', wetland: '#212e31', sand: '#2d2b27', airport: '#282c35', parking: '#262b31',
    },
    water: '#17313f', waterText: '#7fb4d2', building: '#2d333b', border: '#8a7fa0', casing: '#191d22',
    roads: { motorway: '#6b5a36', trunk: '#5f5338', primary: '#53503f', secondary: '#444a53', tertiary: '#404650', minor: '#3a4049', service: '#353b43', path: '#3d4038' },
    rail: '#4d525a', text: '#ccd2da', faint: '#a4abb5', halo: '#191d22',
  },
}

/** Pixels across by zoom, of each class of road. */
const ZOOMS = [5, 8, 11, 14, 17, 19]
const GROWTH = 1.6
const WIDTHS: Record<string, number[]> = {
  motorway: [0.8, 1.5, 2.8, 7, 19, 40], trunk: [0.5, 1.2, 2.4, 6, 17, 36], primary: [0, 0.8, 2, 5.4, 16, 34], secondary: [0, 0.4, 1.5, 4.4, 14, 30], tertiary: [0, 0, 1, 3.8, 12, 26],
  minor: [0, 0, 0.5, 2.4, 9, 20], service: [0, 0, 0, 1.2, 5, 11], path: [0, 0, 0, 0.9, 2, 4],
}
/** Families of the desktop, the best for Chinese first. A word of the first name is the weight or the slant: such a family need not be there. */
const FONTS = ['Noto Sans CJK SC', 'Noto Sans SC', 'Source Han Sans SC', 'Microsoft YaHei', 'WenQuanYi Micro Hei']
const BOLD = ['Base Bold', ...FONTS]
const SLANTED = ['Base Italic', ...FONTS]
const CASED = ['motorway', 'trunk', 'primary', 'secondary', 'tertiary', 'minor', 'service']

/** Classes of roads that are drawn, the least first. */
export const ROAD_CLASSES = ['path', 'service', 'minor', 'tertiary', 'secondary', 'primary', 'trunk', 'motorway']

/** Pixels across, as MapLibre reckons it from the same table: exponential between two zooms. */
export function roadWidth(kind: string, zoom: number): number {
  const widths = WIDTHS[kind] ?? []
  const held = Math.max(ZOOMS[0] as number, Math.min(ZOOMS[ZOOMS.length - 1] as number, zoom))
  let k = 0
  while (k + 2 < ZOOMS.length && held >= (ZOOMS[k + 1] as number)) k++
  const [low, high] = [ZOOMS[k] as number, ZOOMS[k + 1] as number]
  const [from, to] = [widths[k] ?? 0, widths[k + 1] ?? 0]
  const part = (GROWTH ** (held - low) - 1) / (GROWTH ** (high - low) - 1)
  return from + (to - from) * part
}

function width(more = 0): ExpressionSpecification {
  const stops = ZOOMS.flatMap((zoom, k) => [
    zoom, ['match', ['get', 'class'], ...Object.entries(WIDTHS).flatMap(([kind, widths]) => [kind, (widths[k] as number) > 0 ? (widths[k] as number) + more : 0]), 0],
  ])
  return ['interpolate', ['exponential', GROWTH], ['zoom'], ...stops] as unknown as ExpressionSpecification
}
function byClass(colours: Record<string, string>, other: string): ExpressionSpecification {
  return ['match', ['get', 'class'], ...Object.entries(colours).flat(), other] as unknown as ExpressionSpecification
}
const isClass = (...kinds: string[]): ExpressionSpecification => ['in', ['get', 'class'], ['literal', kinds]]
const isLine: ExpressionSpecification = ['==', ['geometry-type'], 'LineString']

/** The layers of the base map over ``source``, the lowest first. */
export function baseLayers(source: string, dark: boolean, english: boolean): LayerSpecification[] {
  const p = PALETTES[dark ? 'dark' : 'light']
  const name: ExpressionSpecification = english ? ['coalesce', ['get', 'name_en'], ['get', 'name'], ''] : ['coalesce', ['get', 'name'], '']
  const halo = { 'text-halo-color': p.halo, 'text-halo-width': 1.4 }
  const of = (id: string, layer: string): { id: string; source: string; 'source-layer': string } => ({ id: `${BASE}-${id}`, source, 'source-layer': layer })
  const road = { 'line-cap': 'round', 'line-join': 'round', 'line-sort-key': ['match', ['get', 'class'], 'motorway', 8, 'trunk', 7, 'primary', 6, 'secondary', 5, 'tertiary', 4, 'minor', 3, 2] as ExpressionSpecification } as const
  const placeName = (id: string, kinds: string[], size: [number, number], bold: boolean, maxzoom: number): LayerSpecification => ({
    ...of(`place-${id}`, 'place'), type: 'symbol', maxzoom, filter: isClass(...kinds),
    layout: {
      'text-field': name, 'text-size': ['interpolate', ['linear'], ['zoom'], 6, size[0], 14, size[1]], 'text-font': bold ? BOLD : FONTS, 'text-max-width': 9,
      'text-padding': 4, 'symbol-sort-key': ['get', 'rank'],
    },
    paint: { 'text-color': bold ? p.text : p.faint, ...halo },
  })
  return [
    { id: `${BASE}-ground`, type: 'background', paint: { 'background-color': p.land } },
    { ...of('land', 'land'), type: 'fill', paint: { 'fill-color': byClass(p.areas, p.land), 'fill-antialias': false } },
    { ...of('water', 'water'), type: 'fill', filter: ['==', ['geometry-type'], 'Polygon'], paint: { 'fill-color': p.water } },
    {
      ...of('stream', 'water'), type: 'line', filter: isLine, layout: { 'line-cap': 'round', 'line-join': 'round' },
      paint: {
        'line-color': p.water,
        'line-width': ['interpolate', ['exponential', 1.5], ['zoom'], 8, ['match', ['get', 'class'], ['river', 'coastline'], 1, 0.5], 14, ['match', ['get', 'class'], 'river', 3.5, 'canal', 2.5, 1.2], 19, ['match', ['get', 'class'], 'river', 20, 'canal', 14, 6]],
      },
    },
    { ...of('building', 'building'), type: 'fill', minzoom: 13, paint: { 'fill-color': p.building, 'fill-opacity': ['interpolate', ['linear'], ['zoom'], 13, 0.5, 15, 1] } },
    {
      ...of('tunnel', 'road'), type: 'line', filter: ['all', ['has', 'tunnel'], isClass(...CASED, 'path')],
      paint: { 'line-color': p.casing, 'line-width': width(), 'line-opacity': 0.5, 'line-dasharray': [1.5, 0.8] },
    },
    { ...of('path', 'road'), type: 'line', minzoom: 13, filter: ['all', ['!', ['has', 'tunnel']], isClass('path')], paint: { 'line-color': p.roads.path as string, 'line-width': width(), 'line-dasharray': [2, 1.2] } },
    { ...of('casing', 'road'), type: 'line', minzoom: 9, filter: ['all', ['!', ['has', 'tunnel']], isClass(...CASED)], layout: { 'line-join': 'round', 'line-cap': 'butt' }, paint: { 'line-color': p.casing, 'line-width': width(1.6) } },
    { ...of('road', 'road'), type: 'line', filter: ['all', ['!', ['has', 'tunnel']], isClass(...CASED)], layout: road, paint: { 'line-color': byClass(p.roads, p.roads.minor as string), 'line-width': width() } },
    { ...of('rail', 'road'), type: 'line', filter: isClass('rail'), paint: { 'line-color': p.rail, 'line-width': ['interpolate', ['linear'], ['zoom'], 8, 0.7, 14, 1.6, 19, 4] } },
    { ...of('sleepers', 'road'), type: 'line', minzoom: 12, filter: isClass('rail'), paint: { 'line-color': p.land, 'line-width': ['interpolate', ['linear'], ['zoom'], 12, 0.6, 19, 2.6], 'line-dasharray': [6, 6] } },
    { ...of('metro', 'road'), type: 'line', minzoom: 12, filter: isClass('metro'), paint: { 'line-color': p.rail, 'line-width': 1.2, 'line-dasharray': [3, 2] } },
    {
      ...of('border', 'boundary'), type: 'line', layout: { 'line-join': 'round' },
      paint: { 'line-color': p.border, 'line-opacity': 0.7, 'line-dasharray': [4, 2, 1, 2], 'line-width': ['match', ['get', 'level'], 4, 1.8, 5, 1.3, 0.9] },
    },
    {
      ...of('road-name', 'road'), type: 'symbol', minzoom: 12, filter: ['has', 'name'],
      layout: {
        'symbol-placement': 'line', 'text-field': name, 'text-size': ['interpolate', ['linear'], ['zoom'], 12, 11, 17, 14], 'text-font': FONTS, 'symbol-spacing': 320, 'text-padding': 6,
        'symbol-sort-key': ['match', ['get', 'class'], 'motorway', 1, 'trunk', 2, 'primary', 3, 'secondary', 4, 'tertiary', 5, 6],
      },
      paint: { 'text-color': p.faint, ...halo },
    },
    {
      ...of('road-number', 'road'), type: 'symbol', minzoom: 8, maxzoom: 13, filter: ['all', ['has', 'ref'], isClass('motorway', 'trunk', 'primary')],
      layout: { 'symbol-placement': 'line', 'text-field': ['get', 'ref'], 'text-size': 10, 'text-font': FONTS, 'symbol-spacing': 400, 'text-rotation-alignment': 'viewport', 'text-padding': 12 },
      paint: { 'text-color': p.faint, ...halo },
    },
    {
      ...of('water-name', 'water'), type: 'symbol', minzoom: 11, filter: ['all', isLine, ['has', 'name']],
      layout: { 'symbol-placement': 'line', 'text-field': name, 'text-size': 12, 'text-font': SLANTED, 'symbol-spacing': 420 }, paint: { 'text-color': p.waterText, ...halo },
    },
    {
      ...of('label', 'label'), type: 'symbol', minzoom: 11,
      layout: { 'text-field': name, 'text-size': 11.5, 'text-font': FONTS, 'text-max-width': 7, 'text-padding': 8 },
      paint: { 'text-color': ['match', ['get', 'class'], 'water', p.waterText, p.faint], ...halo },
    },
    placeName('small', ['quarter', 'neighbourhood', 'hamlet', 'isolated_dwelling', 'village'], [10, 13], false, 17),
    placeName('town', ['town', 'suburb'], [11, 15], false, 16),
    placeName('district', ['county', 'district', 'borough'], [11, 16], true, 15),
    placeName('city', ['state', 'province', 'region', 'city', 'municipality'], [13, 20], true, 14),
  ]
}
