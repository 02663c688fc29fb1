// What the screens of the assessment ask of the API. Points are texts with two decimals: nothing is computed with them here.
import { api, ask, type Schemas } from '@/api/client'
import type { Page } from '@/composables/usePagedList'

export type Sheet = Schemas['AssessmentSheet']
export type SheetLine = Schemas['SheetLine']
export type Dispute = Schemas['Dispute']

/** The quarters and years up to ``today`` ("2026-11-30"), newest first. */
export function periods(today: string): string[] {
  const year = Number(today.slice(0, 4))
  const quarter = Math.ceil(Number(today.slice(5, 7)) / 3)
  const found: string[] = []
  for (let back = 0; back < 8; back += 1) {
    const at = year * 4 + quarter - 1 - back
    found.push(`${Math.floor(at / 4)}Q${(at % 4) + 1}`)
  }
  return [...found, String(year), String(year - 1)]
}

/** "2026年第3季度", "2026年度". */
export function periodName(period: string, english: boolean): string {
  const [year = '', quarter] = period.split('Q')
  if (english) return quarter ? `Q${quarter} ${year}` : year
  return quarter ? `${year}年第${quarter}季度` : `${year}年度`
}

export const ranking = (period: string, organisation: string): Promise<Schemas['Ranking']> =>
  ask(api.GET('/v1/assessments/{period}', { params: { path: { period }, query: { organisation } } }))

export const sheet = (period: string, organisation: string): Promise<Sheet> =>
  ask(api.GET('/v1/assessments/{period}/{organisation}', { params: { path: { period, organisation } } }))

export const documentOf = (period: string, organisation: string): string =>
  `/v1/assessments/${encodeURIComponent(period)}/${encodeURIComponent(organisation)}/document`

export const objections = (state: string | undefined, cursor: string | undefined, limit: number): Promise<Page<Dispute>> =>
  ask(api.GET('/v1/assessment-disputes', { params: { query: { state: state as 'open' | 'decided' | undefined, cursor, limit } } }))

export const decide = (id: string, upheld: boolean, reason: string): Promise<Dispute> =>
  ask(api.POST('/v1/assessment-disputes/{id}:decide', { params: { path: { id } }, body: { upheld, reason } }))

export type ScoreTable = Schemas['ScoreTable']
export type TableVersion = Schemas['TableWithContent']

/** The versions of a unit's table of a year, the draft among them where one may draft; and the one that is shipped. */
export const tablesOf = (organisation: string, year: number): Promise<Schemas['TableVersions']> =>
  ask(api.GET('/v1/assessment-tables/{organisation}/{year}', { params: { path: { organisation, year } } }))

export const saveDraft = (organisation: string, year: number, revision: number, table: ScoreTable): Promise<TableVersion> =>
  ask(api.PUT('/v1/assessment-tables/{organisation}/{year}', { params: { path: { organisation, year } }, body: { revision, table } }))

export const publishDraft = (organisation: string, year: number, revision: number, validFrom: string): Promise<TableVersion> =>
  ask(api.POST('/v1/assessment-tables/{organisation}/{year}:publish', { params: { path: { organisation, year } }, body: { revision, valid_from: validFrom } }))

/** Close the sheet as it was seen. */
export const closeSheet = (period: string, organisation: string, digest: string): Promise<Sheet> =>
  ask(api.POST('/v1/assessments/{period}/{organisation}:close', { params: { path: { period, organisation } }, body: { digest } }))

export const objectTo = (period: string, organisation: string, line: Pick<SheetLine, 'number' | 'version' | 'item' | 'fact'>, reason: string): Promise<Dispute> =>
  ask(api.POST('/v1/assessments/{period}/{organisation}/disputes', {
    params: { path: { period, organisation } }, body: { number: line.number, version: line.version, item: line.item, fact: line.fact, reason },
  }))

/** The objections of a unit, the newest thousand that one sees; each line has one at most. */
export async function objectionsOf(organisation: string): Promise<Dispute[]> {
  const found = await objections(undefined, undefined, 1000)
  return found.items.filter((one) => one.organisation === organisation)
}

export const lineKey = (line: Pick<SheetLine, 'number' | 'version' | 'item' | 'fact'>): string => [line.number, line.version, line.item, line.fact].join('\u0001')

/** The last day of a period ("2026Q3" -> "2026-09-30"). */
export function lastDay(period: string): string {
  const [year = '', quarter] = period.split('Q')
  return `${year}-${({ 1: '03-31', 2: '06-30', 3: '09-30' } as Record<string, string>)[quarter ?? ''] ?? '12-31'}`
}
