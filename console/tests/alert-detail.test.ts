// What could be wrong in silence on the page of an alert: places, gaps, colours, the line of speeds, what changed.
import { QueryClient } from '@tanstack/vue-query'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

import { series } from '@/screens/alerts/detail/chart'
import { changesOf, type Version } from '@/screens/alerts/detail/changes'
import { neighboursIn } from '@/screens/alerts/detail/detail'
import { fitted } from '@/screens/alerts/detail/draw'
import { factsOf } from '@/screens/alerts/detail/facts'
import type { Frozen } from '@/screens/alerts/detail/frozen'
import { circle, colourOf, COLOURS, planeOf, polyline, roundLength, shapesOf, tracksOf, wkbRings } from '@/screens/alerts/detail/geometry'
import { mapRows } from '@/screens/alerts/detail/rows'

const samples = JSON.parse(readFileSync('tests/evidence.json', 'utf8')) as Record<string, { evidence: Frozen }>
const body = (name: string): Frozen => (samples[name] as { evidence: Frozen }).evidence

describe('what is drawn', () => {
  it('is what each rule has', () => {
    const roles = Object.fromEntries(Object.keys(samples).map((name) => [name, [...new Set(shapesOf(body(name)).map((one) => one.role)), ...tracksOf(body(name)).map(() => 'track')]]))
    expect(roles).toEqual({
      location: ['fence', 'track'], destination: ['circle', 'destination', 'track'], mileage: ['route', 'place', 'track'], fuel_consumption: [], card_binding: [],
      'card_binding.unbound': [], card_use: ['circle', 'station', 'track'], 'card_use.polygon': ['station', 'track'], refuel_frequency: [], traffic_violations: [],
      terminal_silent: ['silence'], off_hours: ['track'], sealed: ['track'], tank: [], 'tank.both': [], parking: ['fence', 'track'],
      route: ['route', 'track'], idle_rental: [],
    })
  })

  it('stands where the evidence says, WGS-84 and not moved', () => {
    const [fence] = shapesOf(body('location'))
    expect(fence).toMatchObject({ role: 'fence', name: 'F1', version: 1, from: null, to: null })
    expect(fence?.rings[0]).toContainEqual([120.9, 32.001])
    const [track] = tracksOf(body('location'))
    const frozen = body('location').track as Record<string, number[]>
    expect([...(track?.lat ?? [])].map((v) => Math.round(v * 1e6))).toEqual(frozen.lat_e6)
    expect([...(track?.lon ?? [])].map((v) => Math.round(v * 1e6))).toEqual(frozen.lon_e6)
    const route = shapesOf(body('mileage')).find((one) => one.role === 'route')
    expect(route?.rings).toEqual([[[120.9, 32], [120.96, 32.004], [120.99, 32.001]]])
  })

  it('knows gaps and outliers', () => {
    const [track] = tracksOf(body('location'))
    expect(track?.gaps).toEqual([{ from: 19, to: 20 }])
    expect(track?.valid.filter((one) => !one)).toHaveLength(1)
    const line = series(track as NonNullable<typeof track>)
    expect(line.kmh.filter((one) => one === null)).toHaveLength(1)
    expect(line.places).not.toContain(9) // the outlier
    expect(line.seconds).toEqual(line.seconds.slice().sort((a, b) => a - b))
    const rows = mapRows(shapesOf(body('location')), tracksOf(body('location')), (key) => key.split('.').at(-1) ?? '')
    expect(rows.map((row) => row.what)).toEqual(['fence', 'track', 'gap', 'invalid'])
  })

  it('reads WKB of both orders, polygons and several of them, and refuses others', () => {
    const hex = (parts: Array<[number, 'b' | 'i' | 'd']>, little: boolean): string => {
      const bytes: number[] = []
      for (const [value, kind] of parts) {
        const view = new DataView(new ArrayBuffer(kind === 'b' ? 1 : kind === 'i' ? 4 : 8))
        if (kind === 'b') view.setUint8(0, value)
        else if (kind === 'i') view.setUint32(0, value, little)
        else view.setFloat64(0, value, little)
        bytes.push(...new Uint8Array(view.buffer))
      }
      return bytes.map((one) => one.toString(16).padStart(2, '0')).join('')
    }
    const polygon = (little: boolean): Array<[number, 'b' | 'i' | 'd']> => [[little ? 1 : 0, 'b'], [3, 'i'], [1, 'i'], [2, 'i'], [120, 'd'], [32, 'd'], [121, 'd'], [33, 'd']]
    for (const little of [true, false]) {
      expect(wkbRings(hex(polygon(little), little))).toEqual([[[120, 32], [121, 33]]])
      expect(wkbRings(hex([[little ? 1 : 0, 'b'], [6, 'i'], [2, 'i'], ...polygon(little), ...polygon(little)], little))).toHaveLength(2)
      expect(() => wkbRings(hex([[little ? 1 : 0, 'b'], [1, 'i'], [1, 'i']], little))).toThrow()
    }
    expect(() => polyline('\u0000')).toThrow()
    expect(shapesOf({ fences: [{ wkb: 'zz' }], route: { shape: '\u0000' } })).toEqual([])
  })

  it('has its scale: a circle of 2 km is 4 km wide', () => {
    const ring = circle([120.9, 32], 2000)
    const plane = planeOf([{ role: 'circle', kind: 'area', rings: [ring], name: '', version: null, radius: 2000, from: null, to: null }], [])
    const xs = ring.map(([lon]) => plane?.x(lon) ?? 0)
    expect(Math.max(...xs) - Math.min(...xs)).toBeCloseTo(4000, -1)
    expect(fitted([0, 0, 4000, 1000], 800, 400)).toEqual({ scale: 0.2, left: 0, top: 100 })
    expect([roundLength(999), roundLength(1000), roundLength(499), roundLength(37)]).toEqual([500, 1000, 200, 20])
    expect([colourOf(0), colourOf(19.9), colourOf(20), colourOf(250)]).toEqual([COLOURS[0], COLOURS[0], COLOURS[1], COLOURS[5]])
    expect(planeOf([], [])).toBeNull()
  })
})

describe('facts', () => {
  it('are those of the evidence, in China\'s time and with their units', () => {
    const facts = factsOf(body('card_use'), 'zh')
    const transaction = facts.find((one) => one.part === 'transaction')
    const told = Object.fromEntries((transaction?.columns ?? []).map((name, k) => [name, transaction?.rows[0]?.[k]]))
    expect(told).toMatchObject({ id: 'T1', at: '2026-02-25 14:13:20', quantity: '45.204 升', amount_fen: '350 元', station_name: '城东' })
    const counted = factsOf(body('traffic_violations'), 'en').find((one) => one.part === 'violations')
    expect(counted?.rows.map((row) => row[counted.columns.indexOf('why')])).toEqual(['counts', 'counts', 'parking, not while driving', 'revoked'])
    expect(factsOf(body('fuel_consumption'), 'zh').map((one) => one.part)).toContain('orders 2026-03')
  })
})

describe('versions', () => {
  const version = (more: Partial<Version>): Version => ({ status: 'suspected', severity: 'low', measures: {}, parameters: {}, ...more }) as unknown as Version
  it('say what changed', () => {
    const before = version({ measures: { nearest_m: { value: 3000, unit: 'm' }, fixes: { value: 4, unit: '1' } }, parameters: { radius_m: 2000 } })
    const now = version({ status: 'withdrawn', measures: { nearest_m: { value: 2500, unit: 'm' }, fixes: { value: 4, unit: '1' } }, parameters: { radius_m: 2000, gap_s: 5 } })
    expect(changesOf(before, now).map((one) => [one.what, one.before, one.now])).toEqual([
      ['status', 'suspected', 'withdrawn'], ['measure:nearest_m', 3000, 2500], ['limit:gap_s', undefined, 5],
    ])
    expect(changesOf(now, now)).toEqual([])
  })
})

describe('the list that it was opened from', () => {
  it('gives the next and the one before', () => {
    const queries = new QueryClient()
    queries.setQueryData(['alerts', {}], { pages: [{ items: [{ id: 'a', version: 1 }, { id: 'b', version: 2 }] }, { items: [{ id: 'b', version: 2 }, { id: 'c', version: 1 }] }], pageParams: [] })
    expect(neighboursIn(queries, 'b')).toEqual({ previous: 'a', next: 'c', place: 2, count: 3, version: 2 })
    expect(neighboursIn(queries, 'c')).toMatchObject({ next: null })
    expect(neighboursIn(queries, 'x')).toBeNull()
  })
})
