// The replay: the API's rows, the place at a moment, gaps, stops, classes of speed.
import { describe, expect, it } from 'vitest'

import { markOf, pointsOf } from '@/screens/track/drawing'
import { CLASSES, fixBefore, GAP_MS, parseTrack, placeAt, speedClass, speedSeries, stopsOf, summaryOf, trackLines } from '@/screens/track/trackData'
import { advanced } from '@/screens/track/usePlayback'
import { lonOf } from '@/components/map/mercator'

const HEAD = 'time,lat,lon,datum,valid,flags,speed_kmh,direction_deg,altitude_m,odometer_km,fuel_l,satellites,source,terminal'
const T0 = Date.parse('2026-03-02T10:00:00+08:00')
type Row = [seconds: number, lat: number, lon: number, speed: number, flags?: string]
const csv = (rows: Row[]): string =>
  [HEAD, ...rows.map(([s, lat, lon, speed, flags = '']) => {
    const time = new Date(T0 + s * 1000 + 8 * 3_600_000).toISOString().slice(0, 19)
    return `${time}+08:00,${lat.toFixed(6)},${lon.toFixed(6)},wgs84,${flags ? 'false' : 'true'},${flags},${speed},90,4,,,,live,13800000001`
  })].map((line) => `${line}\r\n`).join('')

const track = parseTrack(csv([
  [0, 32, 120.9, 30], [10, 32, 120.901, 36], [20, 32, 120.95, 80, 'jump'], [30, 32, 120.903, 72],
  [30 + GAP_MS / 1000 + 1, 32.01, 120.92, 50],
]))

describe('a track', () => {
  it('is read as the API says it', () => {
    expect(track.count).toBe(5)
    expect(track.time[0]).toBe(T0)
    expect([...track.validRows]).toEqual([0, 1, 3, 4])
    expect(track.flags[2]).toBe('jump')
    expect(() => parseTrack('<html>')).toThrow(RangeError)
    expect(parseTrack(`${HEAD}\r\n`).count).toBe(0)
    expect(placeAt(parseTrack(`${HEAD}\r\n`), T0)).toBeNull()
  })
  it('has the marker at the time of a fix exactly at the fix', () => {
    for (const row of track.validRows) {
      const place = placeAt(track, track.time[row] as number)
      expect(place).toEqual({ row, lon: track.lon[row], lat: track.lat[row], gap: false })
      expect(lonOf(markOf({ ...(place as { lon: number; lat: number }), direction: 90 }).x[0] as number)).toBeCloseTo(track.lon[row] as number, 9)
    }
    expect(markOf({ lon: 120, lat: 32, direction: 359 }).turn[0]).toBe(0)
  })
  it('is interpolated between two, past an invalid one, and not in a gap', () => {
    expect(placeAt(track, T0 - 1)).toBeNull()
    expect(placeAt(track, T0 + 5_000)?.lon).toBeCloseTo(120.9005, 9)
    expect(placeAt(track, T0 + 20_000)?.lon).toBeCloseTo(120.902, 9)
    expect(placeAt(track, T0 + 60_000)).toEqual({ row: 3, lon: 120.903, lat: 32, gap: true })
    expect(fixBefore(track, T0 + 1e9)).toBe(3)
  })
  it('is drawn by classes of speed, gaps apart', () => {
    const lines = trackLines(track, ['a', 'b', 'c', 'd', 'e'], 'gap')
    expect(lines.map((line) => [line.colour, line.dashed, line.coordinates.length])).toEqual([['b', false, 2], ['c', false, 2], ['gap', true, 2]])
    expect([0, 20, 20.1, 60, 90, 120, 120.1].map(speedClass)).toEqual([0, 0, 1, 1, 2, 3, CLASSES.length])
    expect(pointsOf(track, [], true).count).toBe(1)
    expect(pointsOf(track, [], false).count).toBe(0)
    expect(pointsOf(track, [], false, true).count).toBe(4)
  })
  it('is summed up without what is invalid, and without gaps', () => {
    const sum = summaryOf(track)
    expect([sum.valid, sum.invalid, sum.gaps, sum.maxKmh, sum.reasons]).toEqual([4, 1, 1, 72, [['jump', 1]]])
    expect(sum.distanceM).toBeCloseTo(282.9, 0)
    const [x, y] = speedSeries(track)
    expect(y).toEqual([30, 36, 72, null, 50])
    expect(x[0]).toBe(T0 / 1000)
  })
  it('has stops of three minutes and more, also where the terminal slept', () => {
    const stood = parseTrack(csv([
      [0, 32, 120.9, 40], [10, 32, 120.901, 0], [100, 32, 120.9011, 2], [189, 32, 120.901, 0], [200, 32, 120.91, 30],
      [210, 32, 120.92, 0], [4_000, 32, 120.9201, 20], [4_010, 32, 120.95, 40], [4_020, 32, 120.96, 0], [4_199, 32, 120.96, 0], [4_210, 32, 120.97, 30],
    ]))
    expect(stopsOf(stood).map((stop) => [(stop.from - T0) / 1000, (stop.to - T0) / 1000])).toEqual([[210, 4_000]])
    const longer = parseTrack(csv([[0, 32, 120.9, 0], [180, 32, 120.9, 0]]))
    expect(stopsOf(longer).length).toBe(1)
  })
  it('is played faster, and stops at its end', () => {
    expect(advanced(1_000, 100, 60, 10_000)).toEqual({ moment: 7_000, playing: true })
    expect(advanced(9_000, 100, 60, 10_000)).toEqual({ moment: 10_000, playing: false })
  })
  it('of a day at one fix a second is read whole', () => {
    const text = csv(Array.from({ length: 86_400 }, (_, k): Row => [k, 32 + (k % 1000) / 1e5, 120.9 + (k % 777) / 1e5, (k % 130)]))
    const whole = parseTrack(text)
    trackLines(whole, ['a', 'b', 'c', 'd', 'e'], 'gap')
    summaryOf(whole)
    stopsOf(whole)
    expect(speedSeries(whole)[0].length).toBe(86_400)
    expect(whole.count).toBe(86_400)
  })
})
