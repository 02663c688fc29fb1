// What the screen of data quality asks of the API.
import { api, ask, type Schemas } from '@/api/client'

export type QualityItem = Schemas['QualityItem']
export const EVERY_MS = 60_000

export const quality = (): Promise<Schemas['Quality']> => ask(api.GET('/v1/statistics/data-quality'))

/** What is wrong first, and of that what the person can put right. The order of the server otherwise. */
export function inOrder(items: readonly QualityItem[]): QualityItem[] {
  const rank = (one: QualityItem): number => (one.count === 0 ? 2 : one.mend.you ? 0 : 1)
  return items.map((one, place) => ({ one, place })).sort((a, b) => rank(a.one) - rank(b.one) || a.place - b.place).map((each) => each.one)
}
