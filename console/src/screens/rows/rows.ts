// The lists that numbers open, each with the columns that are shown of it.
import { api, ask } from '@/api/client'
import type { Page } from '@/composables/usePagedList'

export type Row = Record<string, unknown>

/** How a field is shown; ``words``: by the texts of that group. */
export type Kind = 'text' | 'time' | 'unit' | 'plate' | `words:${string}`

export interface Shown {
  key: string
  width: string
  kind: Kind
}

export interface List {
  id: (row: Row) => string
  columns: Shown[]
  /** Where one of them is opened, if the console has such a page. */
  page?: (row: Row) => string
}

const text = (key: string, width: string): Shown => ({ key, width, kind: 'text' })
const time = (key: string): Shown => ({ key, width: '10.6em', kind: 'time' })
const unit: Shown = { key: 'organisation', width: 'minmax(9em, 2fr)', kind: 'unit' }
const plate: Shown = { key: 'plate', width: '7.8em', kind: 'plate' }
const byId = (row: Row): string => String(row.id)
const path = (before: string, id: unknown): string => `${before}/${encodeURIComponent(String(id))}`

/** By path of the API: an address that names another list shows none. */
export const LISTS: Readonly<Record<string, List>> = {
  '/v1/alerts': {
    id: byId,
    columns: [
      time('occurred_from'), { key: 'rule', width: '8.4em', kind: 'words:rule' }, plate, unit, { key: 'severity', width: '4em', kind: 'words:severity' },
      text('summary', 'minmax(16em, 5fr)'), { key: 'status', width: '5em', kind: 'words:alertStatus' },
    ],
    page: (row) => path('/alerts', row.id),
  },
  '/v1/cases': {
    id: byId,
    columns: [text('number', '12em'), text('title', 'minmax(14em, 4fr)'), unit, { key: 'state', width: '7em', kind: 'words:caseState' }, text('due_on', '8em'), time('created_at')],
    page: (row) => path('/cases', row.id),
  },
  '/v1/statistics/fleet': { id: byId, columns: [plate, unit, text('terminal', '10em'), time('seen_at'), time('moved_at')], page: (row) => path('/vehicles', row.id) },
  '/v1/dispatch-orders': {
    id: byId,
    columns: [
      text('id', '11em'), text('vehicle', '9em'), unit, { key: 'status', width: '6em', kind: 'words:rows.orderStatus' }, time('planned_departure'),
      time('planned_return'), time('actual_departure'), text('purpose', 'minmax(10em, 3fr)'),
    ],
    page: (row) => path('/orders', row.id),
  },
  '/v1/fuel-stations': { id: byId, columns: [text('id', '14em'), text('name', 'minmax(14em, 1fr)'), time('updated_at')] },
  '/v1/fuel-transactions': {
    id: (row) => `${String(row.source)} ${String(row.id)}`,
    columns: [time('at'), text('card', '12em'), text('station_name', 'minmax(12em, 1fr)'), text('product', '8em'), text('quantity', '6em'), text('amount', '7em')],
  },
  '/v1/terminal-notices': {
    id: (row) => String(row.no),
    columns: [text('terminal', '11em'), { key: 'kind', width: '11em', kind: 'words:rows.notice' }, text('about', 'minmax(12em, 1fr)'), text('times', '5em'), time('first_at'), time('last_at')],
  },
  '/v1/evaluations/waiting': {
    id: (row) => `${String(row.kind)} ${String(row.key)} ${String(row.waits_for)}`,
    columns: [text('kind', '10em'), text('key', 'minmax(12em, 1fr)'), text('waits_for', 'minmax(12em, 1fr)'), text('attempts', '5em'), time('due_at')],
  },
  '/v1/tasks': { id: byId, columns: [time('opened_at'), unit, text('subject', 'minmax(14em, 3fr)'), text('case', '14em')], page: (row) => path('/cases', row.case) },
  '/v1/message-failures': {
    id: byId,
    columns: [time('created_at'), text('person', '8em'), text('channel', '7em'), text('address', 'minmax(12em, 1fr)'), text('last_error', 'minmax(14em, 2fr)'), text('attempts', '5em')],
  },
}

/** A page of ``list``, which must be one of LISTS. Throws ApiProblem. */
export function rowsOf(list: string, query: Record<string, string>, cursor: string | undefined, limit: number): Promise<Page<Row>> {
  // All of them are pages with a cursor; which filters they know, the statistics have said.
  return ask(api.GET(list as '/v1/cases', { params: { query: { ...query, cursor, limit } } })) as unknown as Promise<Page<Row>>
}

const TIME = /^\d{4}-\d\d-\d\dT/

/** Whether a value of a filter is a moment. */
export const isMoment = (value: string): boolean => TIME.test(value)
