// What may be done with a leave in which state. Pure.
import type { LeaveRow, LeaveState } from './drivers'

export type LeaveStep = 'approve' | 'reject' | 'cancel'

/** The steps of a leave that are possible now (``nowMs`` since 1970) by somebody with these rights. */
export function leaveSteps(of: Pick<LeaveRow, 'state' | 'to'>, decides: boolean, cancels: boolean, nowMs: number): LeaveStep[] {
  if (of.state === 'asked') return [...(decides ? (['approve', 'reject'] as const) : []), ...(cancels ? (['cancel'] as const) : [])]
  return of.state === 'approved' && cancels && Date.parse(of.to) > nowMs ? ['cancel'] : []
}

const SIGNS = {
  asked: { kind: 'care', sign: '◇' }, approved: { kind: 'good', sign: '✓' }, rejected: { kind: 'bad', sign: '！' }, cancelled: { kind: 'plain', sign: '✕' }, ended: { kind: 'plain', sign: '■' },
} as const
export const leaveSign = (state: LeaveState): (typeof SIGNS)[LeaveState] => SIGNS[state]
