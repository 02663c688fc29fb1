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
  pinned: boolean
  receipt: boolean
}
export const emptyNotice = (organisation: string): NoticeDraft => ({ kind: 'notice', organisation, units: [], roles: [], title: '', body: '', first: '', last: '', valid_to: '', pinned: false, receipt: false })

/** Fields that are missing ("must") or no day with its year ("badDay"). */
export function noticeFlaws(draft: Readonly<NoticeDraft>): Record<string, 'must' | 'badDay'> {
  const flaws: Record<string, 'must' | 'badDay'> = {}
  for (const name of draft.kind === 'notice' ? (['organisation', 'title', 'body'] as const) : (['organisation', 'title', 'first', 'last'] as const)) if (draft[name].trim() === '') flaws[name] = 'must'
  for (const name of draft.kind === 'notice' ? (['valid_to'] as const) : (['first', 'last', 'valid_to'] as const)) if (draft[name].trim() !== '' && dayWithYear(draft[name]) === null) flaws[name] = 'badDay'
  return flaws
}

/** What is sent of a draft without flaws. */
export function noticeBody(draft: Readonly<NoticeDraft>): Schemas['NoticeNew'] | Schemas['PublicationNew'] {
  const { organisation, units, roles, pinned, receipt } = draft
  const all = { organisation, units: [...units], roles: [...roles], title: draft.title.trim(), body: draft.body.trim(), valid_to: dayWithYear(draft.valid_to), pinned, receipt }
  return draft.kind === 'notice' ? all : { ...all, kind: draft.kind, first: dayWithYear(draft.first) ?? '', last: dayWithYear(draft.last) ?? '' }
}
