// A notice or a publication as it is typed, what is wrong with it, and what is sent. Pure.
import type { Schemas } from '@/api/client'
import { dayWithYear } from '@/text/days'

import type { NoticeKind } from './notices'

export interface NoticeDraft {
  kind: NoticeKind
  organisation: string
  units: string[]
  roles: Schemas['Role'][]
  title: string
  body: string
  first: string
  last: string
  valid_to: string
  phone: string
  plates: Schemas['PublicationNew']['plates'] & string
  /** The publication that it corrects, and why. */
  replaces: string
  reason: string
  pinned: boolean
  receipt: boolean
}
export const emptyNotice = (organisation: string): NoticeDraft => ({ kind: 'notice', organisation, units: [], roles: [], title: '', body: '', first: '', last: '', valid_to: '', phone: '', plates: 'masked', replaces: '', reason: '', pinned: false, receipt: false })

/** Fields that are missing ("must") or no day with its year ("badDay"). */
export function noticeFlaws(draft: Readonly<NoticeDraft>): Record<string, 'must' | 'badDay'> {
  const flaws: Record<string, 'must' | 'badDay'> = {}
  const needed = [...(draft.kind === 'notice' ? (['organisation', 'title', 'body'] as const) : (['organisation', 'title', 'first', 'last'] as const)), ...(draft.kind === 'fuel' ? (['phone'] as const) : []), ...(draft.replaces ? (['reason'] as const) : [])]
  for (const name of needed) if (draft[name].trim() === '') flaws[name] = 'must'
  for (const name of draft.kind === 'notice' ? (['valid_to'] as const) : (['first', 'last', 'valid_to'] as const)) if (draft[name].trim() !== '' && dayWithYear(draft[name]) === null) flaws[name] = 'badDay'
  return flaws
}

/** What is sent of a draft without flaws. */
export function noticeBody(draft: Readonly<NoticeDraft>): Schemas['NoticeNew'] | Schemas['PublicationNew'] {
  const { organisation, units, roles, pinned, receipt } = draft
  const all = { organisation, units: [...units], roles: [...roles], title: draft.title.trim(), body: draft.body.trim(), valid_to: dayWithYear(draft.valid_to), pinned, receipt }
  if (draft.kind === 'notice') return all
  const days = { first: dayWithYear(draft.first) ?? '', last: dayWithYear(draft.last) ?? '' }
  return { ...all, kind: draft.kind, ...days, phone: draft.phone.trim(), plates: draft.kind === 'fuel' ? draft.plates : null, remarks: [], replaces: draft.replaces || null, reason: draft.replaces ? draft.reason.trim() : '' }
}

/** The days of the newest quarters that were over on ``today`` ("2026-11-30"), the newest first. */
export function quartersOver(today: string, count = 8): { first: string; last: string; year: number; quarter: number }[] {
  const now = Number(today.slice(0, 4)) * 4 + Math.ceil(Number(today.slice(5, 7)) / 3) - 1
  return Array.from({ length: count }, (_, back) => now - 1 - back).map((at) => {
    const [year, quarter] = [Math.floor(at / 4), (at % 4) + 1]
    const month = (number: number): string => String(number).padStart(2, '0')
    return { first: `${year}-${month(quarter * 3 - 2)}-01`, last: `${year}-${month(quarter * 3)}-${quarter === 1 || quarter === 4 ? 31 : 30}`, year, quarter }
  })
}

/** A draft that corrects ``found``: of the same days and kind; its units and text are written anew. */
export const correcting = (found: Schemas['NoticeView']): NoticeDraft => ({
  ...emptyNotice(found.organisation), kind: found.kind, roles: [...found.roles], title: found.title, body: found.body, first: found.terms?.first ?? '', last: found.terms?.last ?? '', valid_to: found.valid_to ?? '',
  phone: found.terms?.phone ?? '', plates: found.terms?.plates ?? 'masked', replaces: found.id, pinned: found.pinned, receipt: found.receipt,
})
