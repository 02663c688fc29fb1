// What the screens of backtests ask of the API.
import { api, ask, type Schemas } from '@/api/client'

export type Backtest = Schemas['BacktestShown']
export type WithResult = Schemas['BacktestWithResult']
export type UnitCounts = Schemas['UnitCounts']
export type Question = Pick<Schemas['BacktestBody'], 'rule' | 'parameters' | 'organisation' | 'from' | 'to'>

export const KINDS = ['raised', 'withdrawn', 'changed', 'unchanged', 'waiting'] as const
export const FOUND = ['violation', 'irregular', 'justified', 'data', 'unverifiable'] as const
/** How many days one question may be about. */
export const MOST_DAYS = 92
/** As many of each kind are kept as examples. */
const EXAMPLES = 50
/** All that are kept: the newest 200 that have ended, and those that wait. */
const KEPT = 300
const path = (no: number) => ({ params: { path: { no } } })

export const start = (question: Question): Promise<Backtest> =>
  ask(api.POST('/v1/backtests', { body: { ...question, fence: null, examples: EXAMPLES } }))
export const backtests = async (): Promise<Backtest[]> =>
  (await ask(api.GET('/v1/backtests', { params: { query: { limit: KEPT } } }))).items
export const backtest = (no: number): Promise<WithResult> => ask(api.GET('/v1/backtests/{no}', path(no)))
export const cancel = (no: number): Promise<Backtest> => ask(api.POST('/v1/backtests/{no}/cancel', path(no)))
export const restart = (no: number): Promise<Backtest> => ask(api.POST('/v1/backtests/{no}/restart', path(no)))

export const open = (job: Backtest | undefined): boolean => job?.state === 'queued' || job?.state === 'running'
/** It has ended without a result, and may begin again. */
export const without = (job: Backtest): boolean => ['failed', 'interrupted', 'cancelled'].includes(job.state)

export interface Precision {
  right: number
  said: number
}

/** What the office found about the subjects of some kinds, by finding. */
export function findingsOf(units: readonly UnitCounts[], kinds: readonly string[]): Record<string, number> {
  const sum: Record<string, number> = {}
  for (const unit of units) {
    for (const kind of kinds) {
      for (const [finding, count] of Object.entries(unit.findings[kind] ?? {})) sum[finding] = (sum[finding] ?? 0) + count
    }
  }
  return sum
}

/** 属实违规 and 程序不规范 were right; 无法核实 says nothing; the others say that it was wrong. */
export function precisionOf(findings: Record<string, number>): Precision {
  const right = (findings.violation ?? 0) + (findings.irregular ?? 0)
  return { right, said: right + (findings.justified ?? 0) + (findings.data ?? 0) }
}

/** "3 / 4 = 75%"; a dash where nobody has judged any. */
export function shownPrecision({ right, said }: Precision): string {
  return said === 0 ? '—' : `${right} / ${said} = ${Math.round((1000 * right) / said) / 10}%`
}
