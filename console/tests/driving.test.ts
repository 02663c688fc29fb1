// Departures and returns without a network: they arrive once, in their order, and what is refused stays for its author.
import { describe, expect, it } from 'vitest'

import { randomKey } from '@/api/once'
import { ApiProblem, unreached } from '@/api/problem'
import { flush, isPassing, type Keeper, type QueuedEntry } from '@/screens/driving/queue'
import { carsOf } from '@/screens/dispatch/board'
import { suggestedIn } from '@/screens/trips/choices'
import { wordsOf } from '@/screens/trips/thread'

function shelf(...entries: QueuedEntry[]): Keeper & { rows: QueuedEntry[] } {
  const rows = entries.map((one, no) => ({ ...one, no: no + 1 }))
  const keeper = {
    rows,
    all: async (login: string) => rows.filter((one) => one.login === login).map((one) => ({ ...one })),
    add: async (entry: QueuedEntry) => void rows.push({ ...entry, no: rows.length + 1 }),
    put: async (entry: QueuedEntry) => void rows.splice(rows.findIndex((one) => one.no === entry.no), 1, { ...entry, no: entry.no ?? 0 }),
    remove: async (no: number) => void rows.splice(rows.findIndex((one) => one.no === no), 1),
  }
  return keeper
}
const entry = (dispatch: string, step: 'depart' | 'return', login = 'li'): QueuedEntry => ({ login, entry: randomKey(), dispatch, number: dispatch, plate: '苏F12345', step, body: { at: '2026-12-01T01:00:00Z', odometer_m: 1 } })
const refusal = new ApiProblem(409, 'not-now', 't', '现在的状态不能这样办理')

describe('the queue of a driver', () => {
  it('sends in order, and once', async () => {
    const kept = shelf(entry('a', 'depart'), entry('b', 'depart'), entry('a', 'return'))
    const sent: string[] = []
    expect(await flush(kept, 'li', async (one) => void sent.push(`${one.dispatch} ${one.step}`))).toEqual({ left: 0, refused: new Map() })
    expect(sent).toEqual(['a depart', 'b depart', 'a return'])
    expect(kept.rows).toEqual([])
  })
  it('ends where there is no server, and keeps everything as it was', async () => {
    const kept = shelf(entry('a', 'depart'), entry('b', 'depart'))
    const sent: string[] = []
    const { left } = await flush(kept, 'li', async (one) => {
      sent.push(one.dispatch)
      throw unreached()
    })
    expect([left, sent]).toEqual([2, ['a']])
    expect(kept.rows.map((one) => one.refused)).toEqual([undefined, undefined])
  })
  it('keeps what is refused with the reason, and what follows it at the same dispatch', async () => {
    const kept = shelf(entry('a', 'depart'), entry('a', 'return'), entry('b', 'depart'))
    const sent: string[] = []
    const work = async (one: QueuedEntry): Promise<void> => {
      sent.push(`${one.dispatch} ${one.step}`)
      if (one.dispatch === 'a') throw refusal
    }
    const first = await flush(kept, 'li', work)
    expect([first.left, [...first.refused.values()]]).toEqual([2, [refusal]])
    expect(sent).toEqual(['a depart', 'b depart'])
    expect(kept.rows.map((one) => [one.step, one.refused?.code])).toEqual([['depart', 'not-now'], ['return', undefined]])
    // It is not sent again by itself, nor is the return before its departure.
    expect((await flush(kept, 'li', work)).left).toBe(2)
    expect(sent).toHaveLength(2)
  })
  it('knows nothing of what another person entered at this telephone', async () => {
    const kept = shelf(entry('a', 'depart', 'wang'))
    await flush(kept, 'li', async () => Promise.reject(refusal))
    expect(kept.rows).toHaveLength(1)
    expect(kept.rows[0]?.refused).toBeUndefined()
  })
  it('tells what passes from what is refused', () => {
    const of = (status: number, code = 'x') => isPassing(new ApiProblem(status, code, '', ''))
    expect([of(0), of(401), of(429), of(503), of(409, 'stale-version'), of(403, 'csrf')]).toEqual(Array(6).fill(true))
    expect([of(409, 'not-now'), of(403, 'not-yours'), of(404), of(422)]).toEqual(Array(4).fill(false))
  })
  it('gives each entry an id of its own', () => {
    expect(randomKey()).toMatch(/^[0-9a-f]{32}$/)
    expect(randomKey()).not.toBe(randomKey())
  })
})

describe('the board', () => {
  const row = (id: string, vehicle: string, from: string, to: string, more: object = {}) =>
    ({ id, vehicle, plate: vehicle, state: 'assigned', planned_departure: `2026-12-01T${from}:00+08:00`, planned_return: `2026-12-01T${to}:00+08:00`, extended_return: null, actual_departure: null, actual_return: null, ...more }) as never
  const NOW = Date.parse('2026-12-01T12:00:00+08:00')
  it('shows cars with dispatches first, each bar at its part of the day', () => {
    const cars = carsOf([row('1', 'b', '06:00', '12:00')], [{ id: 'a', plate: 'a' }, { id: 'b', plate: 'b' }], '2026-12-01', NOW)
    expect(cars.map((one) => [one.id, one.bars.length])).toEqual([['b', 1], ['a', 0]])
    expect(cars[0]?.bars[0]).toMatchObject({ left: 25, width: 25, line: 0 })
  })
  it('goes on to now while a car is out beyond its plan, and draws what overlaps below each other', () => {
    const out = row('1', 'a', '06:00', '09:00', { state: 'overdue', actual_departure: '2026-12-01T06:00:00+08:00' })
    const cars = carsOf([out, row('2', 'a', '10:00', '14:00')], [], '2026-12-01', NOW)
    expect(cars[0]?.bars.map((bar) => [bar.row.id, bar.line, bar.width])).toEqual([['1', 0, 25], ['2', 1, (4 / 24) * 100]])
    expect(cars[0]?.lines).toBe(2)
  })
  it('cuts at midnight of China, and leaves out what has no car any more', () => {
    const night = row('1', 'a', '22:00', '23:59', { planned_return: '2026-12-02T02:00:00+08:00' })
    expect(carsOf([night], [], '2026-12-02', NOW)[0]?.bars[0]).toMatchObject({ left: 0, width: (2 / 24) * 100 })
    expect(carsOf([night], [], '2026-12-03', NOW)).toEqual([])
    expect(carsOf([row('1', 'a', '06:00', '09:00', { state: 'cancelled' })], [], '2026-12-01', NOW)).toEqual([])
  })
})

describe('what the server may say more of', () => {
  it('candidates say what they cost, and what is in the way of others', () => {
    const one = { rank: 1, id: 'a', plate: '苏F12345', organisation: 'jsj', category: '', energy: 'petrol', driver: null, driver_name: null, cost_fen: 450, empty_m: 3000, busy_until: null, next_departure: null, displaces: [] }
    const found = suggestedIn({
      items: [{ ...one, terms: [{ code: 'empty', text: '空驶 3 公里 · 3 km empty', fen: 450 }] }],
      failed: [{ id: 'd', plate: '苏F1', reasons: [{ constraint: 'H5', code: 'sealed', text: '车辆封存 · it is sealed' }] }],
    })
    expect(found.items).toEqual([{ ...one, reasons: ['空驶 3 公里 ¥4.50'] }])
    expect(found.failed).toEqual([{ id: 'd', plate: '苏F1', reasons: ['车辆封存'] }])
  })
  it('a thread says what people wrote, not how it is kept', () => {
    expect(wordsOf({ step: 'depart', body: { at: '2026-12-01T01:00:00Z', odometer_m: 12_345_600, entry: 'a'.repeat(32) } })).toEqual([{ name: 'at', value: '2026-12-01 09:00' }, { name: 'odometer_m', value: '12345.6' }])
    expect(wordsOf({ step: 'suspend', body: { why: 'breakdown', reason: '发动机故障' } })).toEqual([{ name: 'why', value: 'breakdown', coded: 'why' }, { name: 'reason', value: '发动机故障' }])
    expect(wordsOf({ step: 'draft', body: { reason: '参加会议' } })).toEqual([])
  })
})
