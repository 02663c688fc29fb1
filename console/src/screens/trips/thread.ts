// What an entry of a trip's thread says to people, of all that its body holds. Pure.
import { shownPlate } from '@/text/plates'
import { cellTime } from '@/text/time'

import { kmText, placeName, type Entry } from './trips'

export interface Words {
  name: string
  value: string
  /** Where the name of a code is: ``trips.<coded>.<value>``. */
  coded?: string
}

/** The words of an entry, in this order. Of a draft none: it stands at the top of the page. */
export function wordsOf(entry: Pick<Entry, 'step' | 'body'>): Words[] {
  if (entry.step === 'draft' || entry.step === 'edit') return []
  const { body } = entry
  const found: Words[] = []
  const put = (name: string, value: unknown, shown: (text: string) => string = (text) => text): void => {
    if (typeof value === 'string' && value !== '') found.push({ name, value: shown(value) })
  }
  put('number', body.number)
  put('plate', body.plate, shownPlate)
  put('driver_name', body.driver_name)
  if (entry.step === 'depart' || entry.step === 'return') put('at', body.at, (at) => cellTime(at))
  if (typeof body.odometer_m === 'number') found.push({ name: 'odometer_m', value: kmText(body.odometer_m) })
  put('without_odometer', body.without_odometer)
  put('extended_return', body.extended_return, (at) => cellTime(at))
  if (Array.isArray(body.stops) && entry.step.startsWith('change')) put('stops', body.stops.map((one) => placeName(one as { name?: string })).filter(Boolean).join('、'))
  if (typeof body.why === 'string') found.push({ name: 'why', value: body.why, coded: 'why' })
  if (typeof body.rating === 'number') found.push({ name: 'rating', value: String(body.rating) })
  put('reason', body.reason)
  put('note', body.note)
  put('text', body.text)
  return found
}
