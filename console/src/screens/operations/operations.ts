// What the screen of operations asks of the API, and the charts that it makes of the answer.
import { api, ask, type Schemas } from '@/api/client'
import type { Line, Value } from '@/components/chart/numbers'
import { serverNow } from '@/text/now'

export type Series = Schemas['OperationsSeries']
export type State = Schemas['OperationsState']

export const EVERY_MS = 30_000
export const HOURS = ['1', '6', '24'] as const

export const state = (): Promise<State> => ask(api.GET('/v1/operations/state'))

export function series(hours: number): Promise<Series> {
  const from = new Date(serverNow() - hours * 3_600_000).toISOString()
  return ask(api.GET('/v1/operations/series', { params: { query: { from } } }))
}

/** A chart: of which columns, of all processes together or of each. ``rejects``: a line for each reason. */
export interface Chart {
  name: string
  unit: string
  columns: readonly string[]
  each?: boolean
}

export const CHARTS: readonly Chart[] = [
  { name: 'positions', unit: '/s', columns: ['decoded', 'confirmed', 'stored'] },
  { name: 'rejects', unit: '/s', columns: [] },
  { name: 'reply', unit: 's', columns: ['reply_p50', 'reply_p99'] },
  { name: 'append', unit: 's', columns: ['append_p50', 'append_p99'] },
  { name: 'lag', unit: 's', columns: ['lag_seconds', 'delay_p99'] },
  { name: 'memory', unit: 'B', columns: ['memory_bytes'], each: true },
  { name: 'cpu', unit: '', columns: ['cpu_seconds'], each: true },
  { name: 'disk', unit: 'B', columns: ['disk_free_bytes'], each: true },
]

const keyOf = (of: { process: string; instance: string }): string => `${of.process} ${of.instance}`

/** "worker host:9102" of each process of an answer, for a choice. */
export const processesOf = (found: Series): string[] => found.processes.map(keyOf)

/** The lines of a chart. ``process``: of this one alone (as in ``processesOf``), else of all. ``name``: what a column is called. */
export function linesOf(chart: Chart, found: Series, process: string | undefined, name: (column: string) => string): Line[] {
  const one = process === undefined ? undefined : found.processes.find((of) => keyOf(of) === process)
  const from = process === undefined ? found.total : (one ?? { columns: {}, rejects: {} })
  if (chart.name === 'rejects') return Object.entries(from.rejects).map(([reason, values]) => ({ label: reason, values: values as Value[] }))
  if (chart.each) {
    const [column = ''] = chart.columns
    const shown = process === undefined ? found.processes : one ? [one] : []
    return shown.filter((of) => of.columns[column]).map((of) => ({ label: keyOf(of), values: of.columns[column] as Value[] }))
  }
  return chart.columns.filter((column) => from.columns[column]).map((column) => ({ label: name(column), values: from.columns[column] as Value[] }))
}

/** What the series call a column, in the language of the page. */
export function nameIn(found: Series, english: boolean): (column: string) => string {
  const names = new Map(found.figures.map((figure) => [figure.name, english ? figure.en : figure.zh]))
  return (column) => names.get(column) ?? column
}

/** An address that a link may lead to; null: none, or one that is no address of the web. */
export function webAddress(text: string | null | undefined): string | null {
  try {
    const found = new URL(text ?? '')
    return found.protocol === 'https:' || found.protocol === 'http:' ? found.href : null
  } catch {
    return null
  }
}
