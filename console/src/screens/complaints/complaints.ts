// What the screens of complaints ask of the API.
import { api, ask, type Schemas } from '@/api/client'
import { sendFile } from '@/api/upload'
import type { Page } from '@/composables/usePagedList'

export type ComplaintRow = Schemas['ComplaintRow']
export type Report = Schemas['ComplaintsImported']
export const CATEGORIES = ['emergency', 'inquiry', 'report'] as const

export const complaintPage = (_filters: object, cursor: string | undefined, limit: number): Promise<Page<ComplaintRow>> =>
  ask(api.GET('/v1/complaints', { params: { query: { cursor, limit } } }))

export const readComplaint = (id: string) => ask(api.GET('/v1/complaints/{id}', { params: { path: { id } } }))

export const takeComplaint = (complaint: Schemas['Complaint']) => ask(api.POST('/v1/complaints', { body: complaint }))

/** Who called; the reason is kept with the name of who asked. */
export const revealCaller = (id: string, reason: string) =>
  ask(api.POST('/v1/complaints/{id}:reveal-caller', { params: { path: { id } }, body: { reason } }))

const XLSX = 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'

/** The file as it is: UTF-8 or GBK the server finds out. */
export const importFile = (file: File, progress: (part: number) => void): Promise<Report> =>
  sendFile('/v1/complaints:import', file, /\.xlsx$/i.test(file.name) ? XLSX : 'text/csv', progress)

/** The moment of a field for day and time, which people fill in by the clock of Beijing; null: none. */
export function momentOf(typed: string): string | null {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(typed) ? `${typed.length === 16 ? `${typed}:00` : typed}+08:00` : null
}

/** Refused rows as a table to be kept: opened by Excel, in which no cell is taken for a formula. */
export function errorTable(errors: Report['errors'], heads: readonly [string, string, string]): string {
  const cell = (value: string): string => `"${(/^[=+\-@\t\r]/.test(value) ? `'${value}` : value).replace(/"/g, '""')}"`
  const rows = [heads, ...errors.map((one) => [String(one.row), one.field ?? '', one.message] as const)]
  return `\uFEFF${rows.map((row) => row.map(cell).join(',')).join('\r\n')}\r\n`
}
