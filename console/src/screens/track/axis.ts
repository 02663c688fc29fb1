// The one time axis of a replay: from when to when it goes, and what each vehicle did along it. Pure.
import { addDays, startOf } from '@/text/time'

import type { Stretch } from './track'
import { fixBefore, GAP_MS, speedSeries, stopsOf, summaryOf, type Stop, type Summary, type Track } from './trackData'

/** Pixels beside the axis, in the chart and in the lanes below it: on the left stand numbers, and names. */
export const AXIS_LEFT_PX = 124
export const AXIS_RIGHT_PX = 10

export interface Piece {
  kind: 'drive' | 'stop' | 'gap'
  /** ms since 1970 UTC */
  from: number
  to: number
}

/** What is made of a track once, and shown in several places. */
export interface Reading {
  stops: Stop[]
  summary: Summary
  series: [number[], (number | null)[]]
  /** First and last valid fix; null: there is none. */
  drive: [number, number] | null
  pieces: Piece[]
}

const at = (track: Track, k: number): number => track.time[track.validRows[k] as number] as number

export function driveOf(track: Track): [number, number] | null {
  return track.validRows.length ? [at(track, 0), at(track, track.validRows.length - 1)] : null
}

/** Driving, standing and unknown, one after the other from the first valid fix to the last. Where it slept and woke at its place it stood. */
export function piecesOf(track: Track, stops: readonly Stop[]): Piece[] {
  const pieces: Piece[] = []
  const push = (kind: Piece['kind'], from: number, to: number): void => {
    if (to <= from) return
    const last = pieces[pieces.length - 1]
    if (last && last.kind === kind && last.to === from) last.to = to
    else pieces.push({ kind, from, to })
  }
  let next = 0
  for (let k = 1; k < track.validRows.length; k++) {
    const [from, to] = [at(track, k - 1), at(track, k)]
    const kind = to - from > GAP_MS ? 'gap' : 'drive'
    while (next < stops.length && (stops[next] as Stop).to <= from) next++
    let done = from
    for (let s = next; s < stops.length && (stops[s] as Stop).from < to; s++) {
      const stop = stops[s] as Stop
      const [begin, end] = [Math.max(done, stop.from), Math.min(to, stop.to)]
      push(kind, done, begin)
      push('stop', begin, end)
      done = Math.max(done, end)
    }
    push(kind, done, to)
  }
  return pieces
}

const readings = new WeakMap<Track, Reading>()

/** Of one track always the same object. */
export function readingOf(track: Track): Reading {
  let reading = readings.get(track)
  if (!reading) {
    const stops = stopsOf(track)
    reading = { stops, summary: summaryOf(track), series: speedSeries(track), drive: driveOf(track), pieces: piecesOf(track, stops) }
    readings.set(track, reading)
  }
  return reading
}

/** What is played: from the first fix of any of them to the last; [0, 0]: nothing. */
export function playedOf(drives: readonly ([number, number] | null)[]): [number, number] {
  const there = drives.filter((one) => one !== null)
  return there.length ? [Math.min(...there.map((one) => one[0])), Math.max(...there.map((one) => one[1]))] : [0, 0]
}

/** The axis: what is played, and orders and alerts of the day beside it, with a little room. */
export function axisOf(day: string, played: readonly [number, number], others: readonly Stretch[]): [number, number] {
  const [begin, end] = [Date.parse(startOf(day)), Date.parse(startOf(addDays(day, 1)))]
  const froms = [played[0], ...others.map((one) => one.from)].filter((one) => one >= begin)
  const tos = [played[1], ...others.map((one) => one.to ?? one.from)].filter((one) => one > 0 && one <= end)
  const [low, high] = [froms.length ? Math.min(...froms) : begin, tos.length ? Math.max(...tos) : end]
  const pad = Math.max(60_000, (high - low) * 0.02)
  return [Math.max(begin, low - pad), Math.min(end, high + pad)]
}

/** While it is played each fix stays in sight for so long of the track's time, and at least for one picture: none is passed over. */
export const TRAIL_MS = 60_000

/** Places in validRows [from, to) of the fixes that are to be seen at ``now``, when the picture before was of ``before``. */
export function trailOf(track: Track, before: number, now: number): [number, number] {
  const since = now >= before ? Math.min(before, now - TRAIL_MS) : now - TRAIL_MS
  return [fixBefore(track, since) + 1, fixBefore(track, now) + 1]
}
