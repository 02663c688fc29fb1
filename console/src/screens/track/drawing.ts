// How a track is drawn: colours and points.
import { mercatorX, mercatorY, noPoints, NO_TURN, type Look, type Points } from '@/components/map/mercator'

import type { Stop, Track } from './trackData'

/** The same as in the legend of TrackPage.vue. */
export const SPEED_COLOURS = {
  light: ['#4f7fb5', '#1e7a34', '#a86200', '#b3261e', '#6b1a8a'],
  dark: ['#7fb0f0', '#63c174', '#e5b567', '#ff7b72', '#c79bff'],
}
export const GAP_COLOUR = { light: '#6b7078', dark: '#a9b0ba' }

const INVALID = 0
const STOP = 1
const MARK = 2

export const LOOKS: Record<'light' | 'dark', Look[]> = {
  light: [
    { shape: 'circle', colour: '#9aa1aa', size: 7 }, { shape: 'square', colour: '#1d4f91', size: 11 }, { shape: 'arrow', colour: '#0b57d0', size: 24 },
  ],
  dark: [
    { shape: 'circle', colour: '#7d858f', size: 7 }, { shape: 'square', colour: '#7fb0f0', size: 11 }, { shape: 'arrow', colour: '#8ab4f8', size: 24 },
  ],
}

/** Stops and invalid fixes as points; ``fixes``: instead the valid fixes, which are not drawn but looked for. */
export function pointsOf(track: Track | undefined, stops: readonly Stop[], invalid: boolean, fixes = false): Points {
  const points = noPoints((track?.count ?? 0) + stops.length)
  const add = (lon: number, lat: number, look: number): void => {
    points.x[points.count] = mercatorX(lon)
    points.y[points.count] = mercatorY(lat)
    points.look[points.count] = look
    points.count++
  }
  if (track && fixes) track.validRows.forEach((row) => add(track.lon[row] as number, track.lat[row] as number, STOP))
  else if (track && invalid) {
    for (let k = 0; k < track.count; k++) if (!track.valid[k]) add(track.lon[k] as number, track.lat[k] as number, INVALID)
  }
  stops.forEach((stop) => add(stop.lon, stop.lat, STOP))
  return points
}

/** The vehicle while it is played. */
export function markOf(at: { lon: number; lat: number; direction: number } | null): Points {
  const points = noPoints(1)
  if (!at) return points
  points.count = 1
  points.x[0] = mercatorX(at.lon)
  points.y[0] = mercatorY(at.lat)
  points.look[0] = MARK
  points.turn[0] = Number.isFinite(at.direction) ? Math.round((at.direction % 360) / 2) % 180 : NO_TURN
  return points
}
