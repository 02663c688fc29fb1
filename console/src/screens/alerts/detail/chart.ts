// A track as a line of speeds over time: nothing is drawn where no fixes came, and outliers are left out.
import type { Track } from './geometry'

export interface Series {
  seconds: number[]
  kmh: Array<number | null>
  /** The fix of each point; -1: none, a gap. */
  places: number[]
}

export function series(track: Track): Series {
  const made: Series = { seconds: [], kmh: [], places: [] }
  const begins = new Map(track.gaps.map((gap) => [gap.to, gap.from]))
  for (let k = 0; k < track.t.length; k += 1) {
    if (!track.valid[k]) continue
    const before = begins.get(k)
    if (before !== undefined) {
      made.seconds.push(((track.t[before] as number) + (track.t[k] as number)) / 2000)
      made.kmh.push(null)
      made.places.push(-1)
    }
    made.seconds.push((track.t[k] as number) / 1000)
    made.kmh.push(track.kmh[k] as number)
    made.places.push(k)
  }
  return made
}
