// What an entry of a thread says, of all that its body holds. Pure.
import type { Schemas } from '@/api/client'

type Entry = Schemas['ThreadEntry']

export interface Words {
  name: string
  kind: 'text' | 'coded' | 'unit'
  values: string[]
  /** Where the names of codes are. */
  group?: string
}

/** Field of a body -> how it is shown, in this order. What is not named here is no word to people. */
const SHOWN: ReadonlyArray<readonly [string, Words['kind'], string?]> = [
  ['number', 'text'], ['finding', 'coded', 'finding'], ['result', 'coded', 'cases.callResult'], ['text', 'text'], ['checked', 'coded', 'cases.check'],
  ['explanations', 'coded', 'cases.explanation'], ['evidence', 'text'], ['responsibility', 'text'], ['cause', 'text'], ['measures', 'text'],
  ['measures_due', 'text'], ['subject', 'text'], ['organisation', 'unit'], ['due_on', 'text'], ['reason', 'text'], ['note', 'text'], ['name', 'text'], ['alert', 'text'],
]

const isDraft = (body: Record<string, unknown>): boolean => typeof body.title === 'string'

/** The words of an entry. Of a draft none: it stands at the top of the page. */
export function wordsOf(body: Record<string, unknown>): Words[] {
  if (isDraft(body)) return []
  const found: Words[] = []
  for (const [name, kind, group] of SHOWN) {
    const value = body[name]
    const values = (Array.isArray(value) ? value : [value]).filter((one) => typeof one === 'string' && one !== '').map(String)
    if (values.length === 0) continue
    // ``cause`` is a code where the office names what is wrong with the data, else a text of the unit.
    if (name === 'cause' && body.finding === 'data') found.push({ name: 'dataCause', kind: 'coded', values, group: 'cases.dataCause' })
    else found.push(group === undefined ? { name, kind, values } : { name, kind, values, group })
  }
  return found
}

/** The fields of a draft that people write. */
export const CONTENTS = [
  'title', 'facts', 'requirements', 'basis', 'level', 'source', 'external_no', 'organisation', 'person', 'helpers', 'vehicle', 'driver', 'alerts', 'orders', 'due_on',
  'complaint',
] as const

/** The names of what differs between two drafts. */
export function differing(one: Record<string, unknown>, other: Record<string, unknown>): string[] {
  const plain = (value: unknown): string => JSON.stringify(value === undefined || (Array.isArray(value) && value.length === 0) ? null : value)
  return CONTENTS.filter((name) => plain(one[name]) !== plain(other[name]))
}

/** What an edit changed: the fields that differ from the draft before it. */
export function changedFields(thread: readonly Entry[], place: number): string[] {
  const entry = thread[place]
  if (!entry || entry.step !== 'edit') return []
  const before = thread.slice(0, place).filter((one) => isDraft(one.body)).pop()
  return before ? differing(before.body, entry.body) : []
}
