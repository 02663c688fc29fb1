// What the screen of notices asks of the API.
import { api, ask, type Schemas } from '@/api/client'
import type { DialogField } from '@/components/dialogField'
import type { Page } from '@/composables/usePagedList'

export type NoticeRow = Schemas['NoticeRow']
export type NoticeView = Schemas['NoticeView']
export type NoticeKind = Schemas['NoticeKind']
export type Receipt = Schemas['NoticeReceipt']

export type Objection = Schemas['PublicationObjectionRow']

export const KINDS = ['notice', 'disposals', 'rentals', 'fuel'] as const satisfies readonly NoticeKind[]

export interface NoticeFilters {
  kind?: string
  which?: string
}
/** ``which``: those that hold where nothing is said, "unread" of them, or "all". */
export const noticePage = (filters: NoticeFilters, cursor: string | undefined, limit: number): Promise<Page<NoticeRow>> =>
  ask(api.GET('/v1/notices', { params: { query: { kind: filters.kind as NoticeKind | undefined, current: filters.which !== 'all', unread: filters.which === 'unread', cursor, limit } } }))

const at = (id: string) => ({ params: { path: { id } } })
export const notice = (id: string): Promise<NoticeView> => ask(api.GET('/v1/notices/{id}', at(id)))
export const publish = (body: Schemas['NoticeNew']): Promise<NoticeView> => ask(api.POST('/v1/notices', { body }))
/** What would be published of the same body. */
export const preview = (body: Schemas['PublicationNew']): Promise<Schemas['PublicationPreview']> => ask(api.POST('/v1/publications:preview', { body }))
export const publishRecords = (body: Schemas['PublicationNew']): Promise<NoticeView> => ask(api.POST('/v1/publications', { body }))
export const withdraw = (id: string, reason: string): Promise<NoticeView> => ask(api.POST('/v1/notices/{id}:withdraw', { ...at(id), body: { reason } }))
export const noteRead = (id: string, organisation: string, confirm: boolean): Promise<NoticeView> => ask(api.POST('/v1/notices/{id}:read', { ...at(id), body: { organisation, confirm } }))
/** The readers of a page; ``missing``: units of which nobody has confirmed, with the first page. */
export const receipts = (id: string): Promise<Schemas['NoticeReceipts']> => ask(api.GET('/v1/notices/{id}/receipts', { params: { path: { id }, query: { limit: 1000 } } }))
/** The first objections to a publication, with their answers: as many as a page takes. */
export const objections = (id: string): Promise<Page<Objection>> => ask(api.GET('/v1/publication-objections', { params: { query: { notice: id, limit: 1000 } } }))
export const objectTo = (id: string, body: Schemas['PublicationObjection']): Promise<Objection> => ask(api.POST('/v1/notices/{id}:object', { ...at(id), body }))
export const answerObjection = (id: string, body: Schemas['PublicationAnswer']): Promise<Objection> => ask(api.POST('/v1/publication-objections/{id}:answer', { ...at(id), body }))
export const paperOf = (id: string, format: 'pdf' | 'xlsx'): string => `/v1/notices/${encodeURIComponent(id)}/document?format=${format}`

/** The state of a notice for its reader, on ``today`` ("2026-11-30"). */
export function noticeSign(row: Pick<NoticeRow, 'withdrawn_at' | 'valid_to' | 'receipt' | 'confirmed_at' | 'read_at'>, today: string): { kind: 'plain' | 'good' | 'care'; sign: string; state: 'withdrawn' | 'ended' | 'toConfirm' | 'confirmed' | 'unread' | 'read' } {
  if (row.withdrawn_at) return { kind: 'plain', sign: '✕', state: 'withdrawn' }
  if (row.valid_to !== null && row.valid_to < today) return { kind: 'plain', sign: '■', state: 'ended' }
  if (row.confirmed_at) return { kind: 'good', sign: '✓', state: 'confirmed' }
  if (row.receipt) return { kind: 'care', sign: '◇', state: 'toConfirm' }
  return row.read_at ? { kind: 'plain', sign: '✓', state: 'read' } : { kind: 'care', sign: '●', state: 'unread' }
}

/** The units for which somebody may say that he has read it: those of his roles, each once. */
export const unitsOf = (roles: readonly { organisation: string | null }[]): string[] =>
  [...new Set(roles.map((one) => one.organisation).filter((one) => one !== null))]
/** For which unit somebody has read it, or objects: one of his ``own`` where he has several, else any that he names. */
export const unitField = (label: string, own: readonly string[], nameOf: (unit: string) => string): DialogField => ({
  name: 'organisation', label, required: true, ...(own.length > 1 ? { type: 'choice', options: own.map((value) => ({ value, label: nameOf(value) })) } : { type: 'unit' }),
})

/** A table of the API as PlainTable has it; ``numbers``: what its rows are called where some are left out. */
export function tableOf(columns: readonly string[], table: readonly (readonly string[])[], numbers?: readonly number[]): { columns: { key: string; title: string }[]; rows: Record<string, string>[] } {
  return {
    columns: columns.map((title, place) => ({ key: String(place), title })),
    rows: table.map((cells, place) => ({ place: String(numbers?.[place] ?? place + 1), ...Object.fromEntries(cells.map((cell, k) => [String(k), cell])) })),
  }
}
/** Whether somebody may object to a publication on ``today``. */
export const openToObjections = (row: Pick<NoticeView, 'kind' | 'withdrawn_at' | 'object_until'>, today: string): boolean =>
  row.kind !== 'notice' && row.withdrawn_at === null && (row.object_until === null || row.object_until >= today)
