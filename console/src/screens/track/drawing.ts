// How tracks are drawn: colours, signs and points. One alone is coloured by its speeds; of several each has its colour and its sign.
import { distanceM, mercatorX, mercatorY, noPoints, NO_TURN, type Line, type Look, type Points } from '@/components/map/mercator'

import type { Stop, Track } from './trackData'

/** The same as in the legend of TrackPage.vue. */
export const SPEED_COLOURS = {
  light: ['#4f7fb5', '#1e7a34', '#a86200', '#b3261e', '#6b1a8a'],
  dark: ['#7fb0f0', '#63c174', '#e5b567', '#ff7b72', '#c79bff'],
}
export const GAP_COLOUR = { light: '#6b7078', dark: '#a9b0ba' }
/** By place (choice.ts); dark enough to be read as letters. */
export const SLOT_COLOURS = {
  light: ['#1d4f91', '#a86200', '#1e7a34', '#8a1a7c', '#00697a', '#5d4a1f'],
  dark: ['#7fb0f0', '#e5b567', '#63c174', '#f39be6', '#5fd0de', '#d8c9a0'],
}
export const SLOT_SIGNS = ['●', '■', '▲', '◆', '✚', '○']
const SLOT_SHAPES = ['circle', 'square', 'triangle', 'diamond', 'cross', 'ring'] as const

const INVALID = 0
const STOP = 1
const MARK = 2
/** A fix that was passed just now. */
const PASSED = 3
const SIGN = 4
const SLOT_MARK = SIGN + SLOT_SHAPES.length

function looksOf(theme: 'light' | 'dark', invalid: string, stop: string, mark: string, passed: string): Look[] {
  const bySlot = (size: number): Look[] => SLOT_SHAPES.map((shape, k) => ({ shape, colour: SLOT_COLOURS[theme][k] as string, size: shape === 'cross' || shape === 'triangle' ? size + 2 : size }))
  return [
    { shape: 'circle', colour: invalid, size: 7 }, { shape: 'square', colour: stop, size: 11 }, { shape: 'arrow', colour: mark, size: 24 }, { shape: 'circle', colour: passed, size: 6 },
    ...bySlot(12), ...bySlot(22),
  ]
}
export const LOOKS: Record<'light' | 'dark', Look[]> = {
  light: looksOf('light', '#9aa1aa', '#1d4f91', '#0b57d0', '#1c1f23'),
  dark: looksOf('dark', '#7d858f', '#7fb0f0', '#8ab4f8', '#f2f4f7'),
}

function adder(points: Points) {
  return (lon: number, lat: number, look: number, direction = Number.NaN): void => {
    points.x[points.count] = mercatorX(lon)
    points.y[points.count] = mercatorY(lat)
    points.look[points.count] = look
    points.turn[points.count] = Number.isFinite(direction) ? Math.round((direction % 360) / 2) % 180 : NO_TURN
    points.count++
  }
}

/** Stops and invalid fixes as points; ``fixes``: instead the valid fixes, which are not drawn but looked for. */
export function pointsOf(track: Track | undefined, stops: readonly Stop[], invalid: boolean, fixes = false): Points {
  const points = noPoints((track?.count ?? 0) + stops.length)
  const add = adder(points)
  if (track && fixes) track.validRows.forEach((row) => add(track.lon[row] as number, track.lat[row] as number, STOP))
  else if (track && invalid) {
    for (let k = 0; k < track.count; k++) if (!track.valid[k]) add(track.lon[k] as number, track.lat[k] as number, INVALID)
  }
  stops.forEach((stop) => add(stop.lon, stop.lat, STOP))
  return points
}

/** Points of several sets as one. */
export function together(sets: readonly Points[]): Points {
  const all = noPoints(sets.reduce((sum, one) => sum + one.count, 0))
  for (const one of sets) {
    for (const column of ['x', 'y', 'look', 'turn'] as const) all[column].set(one[column].subarray(0, one.count), all.count)
    all.count += one.count
  }
  return all
}

/** A sign stands at both ends of a track, where it stopped, and about so often along it. */
const SIGNS_ALONG = 12
const LEAST_APART_M = 400

export function signsOf(track: Track, stops: readonly Stop[], slot: number, metres: number): Points {
  const rows = track.validRows
  const points = noPoints(rows.length + stops.length)
  const add = adder(points)
  const apart = Math.max(LEAST_APART_M, metres / SIGNS_ALONG)
  let left = 0
  rows.forEach((row, k) => {
    const [lon, lat] = [track.lon[row] as number, track.lat[row] as number]
    const before = rows[k - 1]
    if (before !== undefined) left -= distanceM(track.lon[before] as number, track.lat[before] as number, lon, lat)
    if (left > 0 && k < rows.length - 1) return
    left = apart
    add(lon, lat, SIGN + slot)
  })
  stops.forEach((stop) => add(stop.lon, stop.lat, SIGN + slot))
  return points
}

/** The lines of a track in one colour; ``wide``: the one in focus. */
export function slotLines(lines: readonly Line[], slot: number, theme: 'light' | 'dark', wide: boolean): Line[] {
  const width = wide ? 5 : 3
  return lines.map((line) => ({ ...line, colour: SLOT_COLOURS[theme][slot] as string, width: line.dashed ? Math.min(2, width) : width }))
}

export interface Marked {
  lon: number
  lat: number
  direction: number
  /** null: it is alone, and an arrow. */
  slot: number | null
}

/** The vehicles while they are played. */
export function marksOf(marks: readonly Marked[]): Points {
  const points = noPoints(marks.length)
  const add = adder(points)
  marks.forEach((one) => add(one.lon, one.lat, one.slot === null ? MARK : SLOT_MARK + one.slot, one.slot === null ? one.direction : Number.NaN))
  return points
}

/** The fixes at the places [from, to) of validRows. */
export function passedOf(track: Track, [from, to]: [number, number]): Points {
  const points = noPoints(Math.max(0, to - from))
  const add = adder(points)
  for (let k = from; k < to; k++) {
    const row = track.validRows[k] as number
    add(track.lon[row] as number, track.lat[row] as number, PASSED)
  }
  return points
}
