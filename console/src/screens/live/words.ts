// An order in a few words: where to, and until when.
import { cellTime } from '@/text/time'

import type { OrderOf } from './orders'

/** ``08:00–12:00``; with its day where that is not the one of the other. */
export function windowWords(order: Pick<OrderOf, 'fromS' | 'dueS'>): string {
  const [from, due] = [cellTime(order.fromS * 1000), cellTime(order.dueS * 1000)]
  return from.slice(0, 10) === due.slice(0, 10) ? `${from.slice(11)}–${due.slice(11)}` : `${from.slice(5)}–${due.slice(5)}`
}
export function orderWords(order: OrderOf): string {
  return [windowWords(order), order.destination].filter(Boolean).join(' ')
}
