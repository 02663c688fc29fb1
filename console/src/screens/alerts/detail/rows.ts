// What is on the map, as rows of a table: for who does not see it, and to be copied.
import { cellTime } from '@/text/time'

import type { Place, Shape, Track } from './geometry'

export interface MapRow {
  what: string
  name: string
  when: string
  where: string
}

type Say = (key: string, values?: Record<string, unknown>) => string

const place = ([lon, lat]: Place): string => `${lat.toFixed(6)}, ${lon.toFixed(6)}`
const MOST = 200

export function mapRows(shapes: readonly Shape[], tracks: readonly Track[], t: Say): MapRow[] {
  const time = (from: number | null, to: number | null): string =>
    [from === null ? '' : t('alerts.detail.from', { time: cellTime(from) }), to === null ? '' : t('alerts.detail.to', { time: cellTime(to) })].filter(Boolean).join(' ')
  const found: MapRow[] = shapes.map((one) => {
    const corners = one.rings.reduce((sum, ring) => sum + ring.length, 0)
    const first = one.rings[0]?.[0]
    return {
      what: t(`alerts.detail.role.${one.role}`),
      name: [one.name, one.version === null ? '' : t('alerts.detail.version', { version: one.version }), one.radius === null ? '' : t('alerts.detail.radius', { metres: one.radius })].filter(Boolean).join(' '),
      when: time(one.from, one.to),
      where: !first ? '' : one.kind === 'point' ? place(first) : one.role === 'circle' ? '' : `${place(first)} … ${t('alerts.detail.points', { count: corners })}`,
    }
  })
  for (const track of tracks) {
    const at = (k: number): Place => [track.lon[k] as number, track.lat[k] as number]
    const good = track.valid.filter(Boolean).length
    const [first, last] = [track.valid.indexOf(true), track.valid.lastIndexOf(true)]
    if (first < 0) continue
    let fastest = 0
    track.valid.forEach((is, k) => {
      if (is) fastest = Math.max(fastest, track.kmh[k] as number)
    })
    found.push({
      what: t('alerts.detail.role.track'), name: `${t('alerts.detail.fixes', { count: track.t.length, invalid: track.t.length - good })}，${t('alerts.detail.fastest', { kmh: fastest })}`,
      when: `${cellTime(track.t[first] as number, true)} – ${cellTime(track.t[last] as number, true)}`, where: `${place(at(first))} – ${place(at(last))}`,
    })
    for (const gap of track.gaps.slice(0, MOST)) {
      const [from, to] = [track.t[gap.from] as number, track.t[gap.to] as number]
      found.push({
        what: t('alerts.detail.role.gap'), name: t('alerts.detail.gapOf', { minutes: Math.round((to - from) / 6000) / 10 }), when: `${cellTime(from, true)} – ${cellTime(to, true)}`, where: `${place(at(gap.from))} – ${place(at(gap.to))}`,
      })
    }
    let told = 0
    track.valid.forEach((is, k) => {
      if (is || (told += 1) > MOST) return
      found.push({ what: t('alerts.detail.role.invalid'), name: t('alerts.detail.invalid'), when: cellTime(track.t[k] as number, true), where: place(at(k)) })
    })
  }
  return found
}
