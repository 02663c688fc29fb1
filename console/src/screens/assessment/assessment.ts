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
