// 审批规则表 of a unit: what the API has of it, which row a case comes to, and a table as it is changed. Pure but for the API's three operations.
import { api, ask, type Schemas } from '@/api/client'

export type Table = Schemas['ApprovalTable']
export type TableRow = Schemas['ApprovalRow']
export type Version = Schemas['ApprovalTableView']
type Position = Schemas['ApprovalPosition']

export const CATEGORIES = ['confidential', 'emergency', 'enforcement', 'special', 'other', 'rental'] as const satisfies readonly Schemas['Category'][]
export const PURPOSES = ['secret_papers', 'incident', 'urgent', 'group', 'guests', 'meeting', 'field', 'enforcement', 'other'] as const satisfies readonly Schemas['Purpose'][]
export const SCOPES = ['near', 'city', 'province', 'outside'] as const
export const DAYS = ['workday', 'rest', 'unknown'] as const

export const tables = (organisation: string): Promise<Schemas['ApprovalTables']> => ask(api.GET('/v1/approval-tables', { params: { query: { organisation } } }))
export const draftTable = (organisation: string, table: Table): Promise<Version> => ask(api.POST('/v1/approval-tables', { body: { organisation, table } }))
export const activate = (organisation: string, version: number): Promise<Version> =>
  ask(api.POST('/v1/approval-tables/{id}/versions/{version}:activate', { params: { path: { id: organisation, version } } }))
/** A version's table: the API keeps it as it was written. */
export const tableOf = (version: Version): Table => version.table as unknown as Table

/** A case that is tried against a table. */
export interface Case {
  category: string
  purpose: string
  scope: string
  day: string
  hours: number
  applicant: string
}
const fits = (wanted: readonly string[] | undefined, value: string): boolean => !wanted?.length || wanted.includes(value)
/** The place of the first row that fits, as office.requests.rules.first_match; -1: none does. */
export const firstMatch = (table: Table, asked: Case): number =>
  table.rows.findIndex((row) =>
    fits(row.categories, asked.category) && fits(row.purposes, asked.purpose) && fits(row.scopes, asked.scope) && fits(row.day_types, asked.day) &&
    (!row.min_hours || asked.hours >= row.min_hours) && (!row.applicants?.length || (asked.applicant !== '' && row.applicants.includes(asked.applicant))))

/** Whether a row fits everything. */
export const catchesAll = (row: TableRow): boolean => !(row.categories?.length || row.purposes?.length || row.scopes?.length || row.day_types?.length || row.applicants?.length || row.min_hours)

/** A row in a form: everything there, numbers as texts. */
export interface RowTyped {
  name: string
  categories: string[]
  purposes: string[]
  scopes: string[]
  day_types: string[]
  min_hours: string
  applicants: string
  chain: string[]
  lead_min: string
  timeout_min: string
  substitute: string
}
export interface PositionTyped { code: string; name: string; users: string }
export interface TableTyped { pool: string; positions: PositionTyped[]; rows: RowTyped[] }

export const emptyRow = (): RowTyped => ({ name: '', categories: [], purposes: [], scopes: [], day_types: [], min_hours: '', applicants: '', chain: [], lead_min: '0', timeout_min: '120', substitute: '' })
export const typedTable = (table: Table | null): TableTyped =>
  table === null
    ? { pool: '', positions: [{ code: 'head', name: '', users: '' }], rows: [emptyRow()] }
    : {
        pool: table.pool ?? '',
        positions: table.positions.map((one) => ({ code: one.code, name: one.name, users: (one.users ?? []).join(' ') })),
        rows: table.rows.map((one) => ({
          name: one.name, categories: [...(one.categories ?? [])], purposes: [...(one.purposes ?? [])], scopes: [...(one.scopes ?? [])], day_types: [...(one.day_types ?? [])], min_hours: one.min_hours ? String(one.min_hours) : '',
          applicants: (one.applicants ?? []).join(' '), chain: [...one.chain], lead_min: String(one.lead_min ?? 0), timeout_min: String(one.timeout_min ?? 120), substitute: one.substitute ?? '',
        })),
      }

const words = (text: string): string[] => [...new Set(text.split(/[\s,，、;；]+/).filter(Boolean))]
const whole = (text: string): number | null => (/^\d{1,5}$/.test(text.trim()) ? Number(text) : null)

/** The table, or what is wrong with the form: the first row or position that cannot be read, counted from 1. */
export function tableTyped(typed: TableTyped): { table: Table } | { wrong: 'position' | 'row'; number: number } {
  const badPosition = typed.positions.findIndex((one) => !/^[a-z][a-z0-9_]{0,31}$/.test(one.code.trim()) || one.name.trim() === '')
  if (badPosition >= 0 || typed.positions.length === 0) return { wrong: 'position', number: badPosition + 1 }
  const badRow = typed.rows.findIndex((one) => one.name.trim() === '' || one.chain.length < 1 || one.chain.length > 3 || whole(one.lead_min) === null || whole(one.timeout_min) === null || (one.min_hours.trim() !== '' && !whole(one.min_hours)))
  if (badRow >= 0 || typed.rows.length === 0) return { wrong: 'row', number: badRow + 1 }
  const positions: Position[] = typed.positions.map((one) => ({ code: one.code.trim(), name: one.name.trim(), users: words(one.users) }))
  const rows = typed.rows.map((one) => ({
    name: one.name.trim(), categories: one.categories, purposes: one.purposes, scopes: one.scopes, day_types: one.day_types, min_hours: one.min_hours.trim() === '' ? null : whole(one.min_hours), applicants: words(one.applicants),
    chain: one.chain, lead_min: whole(one.lead_min) ?? 0, timeout_min: whole(one.timeout_min) ?? 120, substitute: one.substitute || null,
  })) as unknown as TableRow[]
  return { table: { pool: typed.pool.trim() || null, positions, rows } }
}

/** ``list`` with the element at ``place`` one step up (-1) or down (1). */
export function moved<T>(list: readonly T[], place: number, by: 1 | -1): T[] {
  const copy = [...list]
  const [one] = copy.splice(place, 1)
  if (one !== undefined) copy.splice(Math.max(0, place + by), 0, one)
  return copy
}
