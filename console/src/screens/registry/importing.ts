// A file of records: how it is sent, and the rows that were refused as a file to correct.
import type { ProblemEntry } from '@/api/problem'
import { bilingual } from '@/api/problem'
import { decoded, parsed, written } from '@/text/csv'

const XLSX = 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'
const TYPES: Readonly<Record<string, string>> = {
  csv: 'text/csv', txt: 'text/plain', xlsx: XLSX, xls: 'application/vnd.ms-excel', json: 'application/json', ndjson: 'application/x-ndjson', jsonl: 'application/x-ndjson',
}
/** As the API bounds it (registry.bulk). */
export const MOST_BYTES = 32 << 20

export const endOf = (name: string): string => (/\.([^.]+)$/.exec(name)?.[1] ?? '').toLowerCase()
export const typeOf = (name: string): string => TYPES[endOf(name)] ?? 'application/octet-stream'
/** Files whose rows can be given back with their words; of a workbook the browser reads none. */
export const rowsReadable = (name: string): boolean => ['csv', 'txt'].includes(endOf(name))

export type RowError = Pick<ProblemEntry, 'row' | 'field' | 'column' | 'message'>

/** What was refused, row by row: the row as it stands in the file, and a column that says what is wrong with it. */
export function refusedRows(data: ArrayBuffer | null, errors: readonly RowError[], said: string, words: { row: string; field: string }): string {
  const rows = data === null ? [] : parsed(decoded(data))
  const byRow = new Map<number, string[]>()
  for (const one of errors) {
    const place = one.column ?? one.field
    const list = byRow.get(one.row ?? 0) ?? []
    byRow.set(one.row ?? 0, [...list, (place ? `${place}：` : '') + bilingual(one.message).zh])
  }
  const numbers = [...byRow.keys()].sort((a, b) => a - b)
  const filledCells = (row: string[] | undefined): number => (row ?? []).filter((cell) => cell.trim() !== '').length
  // A statement has titles above its header.
  const likeBad = Math.max(1, 0.6 * filledCells(rows[(numbers.find((number) => number > 1) ?? 1) - 1]))
  const head = rows.find((row) => filledCells(row) >= likeBad)
  if (!head) return written([[words.row, words.field, said], ...errors.map((one) => [String(one.row ?? ''), one.column ?? one.field ?? '', bilingual(one.message).zh])])
  const wide = Math.max(...[head, ...numbers.map((number) => rows[number - 1] ?? [])].map((row) => row.length))
  const filled = (row: string[]): string[] => [...row, ...Array.from({ length: wide - row.length }, () => '')]
  return written([
    [...filled(head), said],
    ...numbers.filter((number) => number > 1).map((number) => [...filled(rows[number - 1] ?? []), (byRow.get(number) ?? []).join('；')]),
  ])
}
