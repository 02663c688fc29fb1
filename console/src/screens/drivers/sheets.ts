// Which record says so: a fact of a driver's sheet names it. Pure.
import type { RouteLocationRaw } from 'vue-router'

import type { SheetLine } from './drivers'

/** The page of the record that a line names; null: it has none (what was entered by hand stands in the line, a long drive may have several papers). */
export function recordOf(line: Pick<SheetLine, 'fact' | 'source'>): Exclude<RouteLocationRaw, string> | null {
  if (line.fact === 'violation') return { name: 'record', params: { kind: 'violations', id: line.source } }
  if (line.fact === 'low_rating') return { name: 'trip', params: { id: line.source } }
  // "DISPATCH/STEP", or the dispatch alone.
  if (line.fact === 'late_departure' || line.fact === 'late_entry' || line.fact === 'unanswered') return { name: 'dispatch-paper', params: { id: line.source.split('/')[0] ?? '' } }
  return null
}
