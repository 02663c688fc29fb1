// A paper that goes by steps, as the API shows it: what somebody may do now, and what was done. Pure.
import { ApiProblem } from '@/api/problem'

/** A step that the caller has the right to; ``refused``: why not now. */
export interface MayStep {
  step: string
  refused: string | null
}
export interface ThreadEntry {
  version: number
  step: string
  at: string
  by: string
  persons: readonly string[]
}

/** Whether a refusal says that the paper has moved on since ``seen``. */
export const movedOn = (problem: unknown, seen: number): boolean =>
  problem instanceof ApiProblem && problem.status === 409 && typeof problem.more.version === 'number' && problem.more.version > seen
