// What the screen of call-backs asks of the API, and how a share is typed.
import { api, ask, type Schemas } from '@/api/client'
import type { Page } from '@/composables/usePagedList'

export type Draw = Schemas['CallBackDrawn']
export type Call = Schemas['CallBack']
export type Outcome = NonNullable<Call['outcome']>

export const OUTCOMES = ['satisfied', 'unsatisfied', 'not_reached', 'refused'] as const satisfies readonly Outcome[]
export const OUTCOME_SIGNS = {
  satisfied: { kind: 'good', sign: '✓' }, unsatisfied: { kind: 'bad', sign: '！' }, not_reached: { kind: 'care', sign: '◇' }, refused: { kind: 'plain', sign: '✕' },
} as const

export const drawPage = (_: object, cursor: string | undefined, limit: number): Promise<Page<Draw>> => ask(api.GET('/v1/call-back-draws', { params: { query: { cursor, limit } } }))
export const draw = (body: Schemas['CallBackDraw']): Promise<Draw> => ask(api.POST('/v1/call-back-draws', { body }))
export const callPage = (id: string, open: boolean, cursor: string | undefined, limit: number): Promise<Page<Call>> =>
  ask(api.GET('/v1/call-back-draws/{id}/call-backs', { params: { path: { id }, query: { open, cursor, limit } } }))
export const record = (id: string, outcome: Outcome, note: string): Promise<Call> => ask(api.POST('/v1/call-backs/{id}:record', { params: { path: { id } }, body: { outcome, note } }))

/** A share as people type it ("5", "0.5 %") in thousandths; null: it is none. */
export function permilleOf(text: string): number | null {
  const plain = text.normalize('NFKC').replace(/\s|%/g, '')
  const found = /^\d{1,3}(\.\d)?$/.test(plain) ? Math.round(Number(plain) * 10) : 0
  return found >= 1 && found <= 1000 ? found : null
}

/** The months that are over on ``today`` ("2026-11-30"), the newest first, as the API names them ("202610"). */
export function monthsOver(today: string, count = 12): string[] {
  const now = Number(today.slice(0, 4)) * 12 + Number(today.slice(5, 7)) - 1
  return Array.from({ length: count }, (_, k) => now - 1 - k).map((month) => `${Math.floor(month / 12)}${String((month % 12) + 1).padStart(2, '0')}`)
}
export const monthText = (period: string): string => `${period.slice(0, 4)}-${period.slice(4)}`
