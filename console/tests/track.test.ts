// The replay: the API's rows, the place at a moment, gaps, stops, classes of speed.
import { describe, expect, it } from 'vitest'

import { axisOf, piecesOf, playedOf, readingOf, trailOf } from '@/screens/track/axis'
import { added, addressOf, choiceOf, MOST, removed, replaced } from '@/screens/track/choice'
import { LOOKS, marksOf, passedOf, pointsOf, signsOf, SLOT_COLOURS, SLOT_SIGNS, slotLines, together } from '@/screens/track/drawing'
import { CLASSES, fixBefore, GAP_MS, parseTrack, placeAt, speedClass, speedSeries, stopsOf, summaryOf, trackLines } from '@/screens/track/trackData'
import { advanced, LONGEST_MS } from '@/screens/track/usePlayback'
import { MOST_LOOKS } from '@/components/map/face'
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
      expect(lonOf(marksOf([{ ...(place as { lon: number; lat: number }), direction: 90, slot: null }]).x[0] as number)).toBeCloseTo(track.lon[row] as number, 9)
    }
    expect(marksOf([{ lon: 120, lat: 32, direction: 359, slot: null }]).turn[0]).toBe(0)
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
    // A page that was behind another for an hour goes on where it was.
    expect(advanced(0, 3_600_000, 60, 86_400_000)).toEqual({ moment: LONGEST_MS * 60, playing: true })
    expect(advanced(5_000, -20, 60, 10_000)).toEqual({ moment: 5_000, playing: true })
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

describe('several vehicles', () => {
  const three = choiceOf('b', ['a', 'b', 'c'])

  it('keep their places, and with them colour and sign, while others come and go', () => {
    expect(three).toEqual({ slots: ['a', 'b', 'c'], focus: 'b' })
    const fewer = removed(three, 'a')
    expect(fewer).toEqual({ slots: ['', 'b', 'c'], focus: 'b' })
    expect(choiceOf('b', ['', 'b', 'c'])).toEqual(fewer)
    expect(addressOf(fewer)).toEqual({ id: 'b', with: ['', 'b', 'c'] })
    expect(added(fewer, 'd')).toEqual({ slots: ['d', 'b', 'c'], focus: 'b' })
    expect(removed(fewer, 'b')).toEqual({ slots: ['', '', 'c'], focus: 'c' })
    expect(replaced(three, 'x').slots).toEqual(['a', 'x', 'c'])
    expect(replaced(three, 'c')).toEqual({ slots: ['a', 'b', 'c'], focus: 'c' })
    // One alone needs no "with", and none none.
    expect(addressOf(removed(removed(three, 'a'), 'c'))).toEqual({ id: 'b', with: undefined })
    expect(removed(choiceOf('a', undefined), 'a')).toEqual({ slots: [], focus: '' })
  })
  it('are read from any address: none twice, no more than there is room for, and the one of the path among them', () => {
    expect(choiceOf('', undefined)).toEqual({ slots: [], focus: '' })
    expect(choiceOf('a', undefined)).toEqual({ slots: ['a'], focus: 'a' })
    expect(choiceOf('a', 'b')).toEqual({ slots: ['b', 'a'], focus: 'a' })
    expect(choiceOf('', ['', 'b'])).toEqual({ slots: ['', 'b'], focus: 'b' })
    expect(choiceOf('a', ['a', 'a', null, 'b'.repeat(65), 'c'])).toEqual({ slots: ['a', '', '', '', 'c'], focus: 'a' })
    const many = choiceOf('z', Array.from({ length: 40 }, (_, k) => `v${k}`))
    expect(many).toEqual({ slots: ['v0', 'v1', 'v2', 'v3', 'v4', 'z'], focus: 'z' })
    expect(added(many, 'one more')).toBeNull()
    expect(added(many, 'v3')?.focus).toBe('v3')
  })
  it('each have a colour and a sign of their own, and room among the looks', () => {
    for (const theme of ['light', 'dark'] as const) {
      expect(LOOKS[theme].length).toBeLessThanOrEqual(MOST_LOOKS)
      const marks = marksOf(Array.from({ length: MOST }, (_, slot) => ({ lon: 120, lat: 32, direction: 0, slot })))
      const drawn = [...marks.look].map((look) => LOOKS[theme][look])
      expect(new Set(drawn.map((look) => look?.shape)).size).toBe(MOST)
      expect(drawn.map((look) => look?.colour)).toEqual(SLOT_COLOURS[theme])
      const lines = slotLines([{ coordinates: [], colour: 'x', width: 4, dashed: false }], 2, theme, false)
      expect(lines[0]?.colour).toBe(drawn[2]?.colour)
      expect([...signsOf(track, [], 2, 280).look].slice(0, 2).map((look) => LOOKS[theme][look])).toEqual([{ ...drawn[2], size: 14 }, { ...drawn[2], size: 14 }])
    }
    expect(new Set(SLOT_SIGNS).size).toBe(MOST)
  })
  it('have one axis: from the first fix of any to the last, with the orders of each beside it', () => {
    const other = parseTrack(csv([[-3_600, 32, 120.9, 30], [-3_500, 32, 120.95, 30]]))
    const [mine, its] = [readingOf(track).drive, readingOf(other).drive]
    const played = playedOf([mine, null, its])
    expect(played).toEqual([T0 - 3_600_000, track.time[4]])
    expect(playedOf([null])).toEqual([0, 0])
    const [low, high] = axisOf('2026-03-02', played, [])
    expect(low).toBeLessThan(played[0])
    expect(high).toBeGreaterThan(played[1])
    const order = { id: 'o', from: T0 - 7_200_000, to: T0 + 7_200_000, status: 'departed', text: '' }
    expect(axisOf('2026-03-02', played, [order])[0]).toBeLessThan(order.from)
    const day = [Date.parse('2026-03-02T00:00:00+08:00'), Date.parse('2026-03-03T00:00:00+08:00')]
    expect(axisOf('2026-03-02', [0, 0], [])).toEqual(day)
    // An order of the day before begins with the day.
    expect(axisOf('2026-03-02', played, [{ ...order, from: T0 - 9e7, to: null }])[0]).toBeGreaterThanOrEqual(day[0] as number)
    expect(readingOf(track)).toBe(readingOf(track))
  })
  it('drive, stand or are unknown at each moment, once', () => {
    expect(readingOf(track).pieces.map((one) => [one.kind, (one.from - T0) / 1000, (one.to - T0) / 1000])).toEqual([['drive', 0, 30], ['gap', 30, 211]])
    const slept = parseTrack(csv([[0, 32, 120.9, 40], [10, 32, 120.92, 0], [4_000, 32, 120.9201, 20], [4_010, 32, 120.95, 40]]))
    expect(readingOf(slept).pieces.map((one) => [one.kind, (one.from - T0) / 1000, (one.to - T0) / 1000])).toEqual([['drive', 0, 10], ['stop', 10, 4_000], ['drive', 4_000, 4_010]])
    // Whatever is standing: pieces follow each other without a hole.
    let state = 7
    const next = (most: number): number => ((state = (state * 48271) % 2147483647), state % most)
    for (let turn = 0; turn < 50; turn++) {
      let at = 0
      const made = parseTrack(csv(Array.from({ length: 40 }, (): Row => [(at += 1 + next(turn % 2 ? 300 : 90)), 32, 120.9 + next(3) / 1_000, next(2) * 30])))
      const { pieces, drive } = readingOf(made)
      expect([pieces[0]?.from, pieces[pieces.length - 1]?.to]).toEqual(drive)
      pieces.slice(1).forEach((one, k) => expect(one.from).toBe(pieces[k]?.to))
      expect(pieces.every((one) => one.to > one.from)).toBe(true)
    }
    expect(piecesOf(parseTrack(`${HEAD}\r\n`), [])).toEqual([])
  })
  it('pass no fix over at 60 times, however late a picture comes', () => {
    const each = parseTrack(csv(Array.from({ length: 3_000 }, (_, k): Row => [k, 32, 120.9 + k / 1e5, 30])))
    const end = each.time[2_999] as number
    for (const frames of [[16], [16, 250, 16, 499], [3, 1_000]]) {
      const seen = new Set<number>()
      let [before, now, turn, playing] = [T0, T0, 0, true]
      while (playing) {
        const clock = advanced(now, frames[turn++ % frames.length] as number, 60, end);
        [before, now, playing] = [now, clock.moment, clock.playing]
        const [from, to] = trailOf(each, before, now)
        for (let k = from; k < to; k++) seen.add(k)
      }
      expect(seen.size).toBe(3_000)
    }
    // Somebody who goes back sees the minute before, not all that lies between.
    expect(trailOf(each, end, T0 + 100_000)).toEqual([41, 101])
    expect(passedOf(each, [41, 101]).count).toBe(60)
    expect(passedOf(each, [5, 5]).count).toBe(0)
    const all = together([passedOf(each, [0, 2]), pointsOf(track, [], true)])
    expect([all.count, lonOf(all.x[2] as number)]).toEqual([3, lonOf(pointsOf(track, [], true).x[0] as number)])
  })
})
