// A file of records: how it is sent, and the file that is given back to be corrected.
import { api } from '@/api/client'
import { bilingual, problemOf, type ProblemEntry } from '@/api/problem'
import { written } from '@/text/csv'

const XLSX = 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'
const TYPES: Readonly<Record<string, string>> = {
  csv: 'text/csv', txt: 'text/plain', xlsx: XLSX, xls: 'application/vnd.ms-excel', json: 'application/json', ndjson: 'application/x-ndjson', jsonl: 'application/x-ndjson',
}
/** As the API bounds it (registry.bulk). */
export const MOST_BYTES = 32 << 20

export const endOf = (name: string): string => (/\.([^.]+)$/.exec(name)?.[1] ?? '').toLowerCase()
export const typeOf = (name: string): string => TYPES[endOf(name)] ?? 'application/octet-stream'
/** Tables: the server gives their refused rows back as a workbook. Of JSON there is a list of the reasons. */
export const isTable = (name: string): boolean => !['json', 'ndjson', 'jsonl', 'geojson', 'kml'].includes(endOf(name))

export type RowError = Pick<ProblemEntry, 'row' | 'field' | 'column' | 'message'>

/** The file to be corrected; null: no row is refused any more. Throws ApiProblem. */
export async function correctionsOf(path: string, file: Blob, type: string): Promise<{ file: Blob; leftOut: number } | null> {
  const { data, error, response } = await api.POST(path as '/v1/vehicles:import', {
    params: { query: { corrections: true } }, body: file as unknown as string, bodySerializer: (body: unknown) => body as BodyInit, headers: { 'Content-Type': type }, parseAs: 'blob',
  })
  if (!response.ok) throw problemOf(response, error)
  const found = data as unknown as Blob
  return found.type.startsWith(XLSX) ? { file: found, leftOut: Number(response.headers.get('X-Rows-Left-Out') ?? 0) } : null
}

/** The reasons as a file, for what is no table. */
export const reasonsOf = (errors: readonly RowError[], words: { row: string; field: string; why: string }): string =>
  written([[words.row, words.field, words.why], ...errors.map((one) => [String(one.row ?? ''), one.column ?? one.field ?? '', bilingual(one.message).zh])])
