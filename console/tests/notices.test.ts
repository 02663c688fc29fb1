// A notice as it is typed, and its state for its reader.
import { describe, expect, it } from 'vitest'

import { correcting, emptyNotice, noticeBody, noticeFlaws, quartersOver } from '@/screens/notices/draft'
import { noticeSign, openToObjections, tableOf, unitsOf, type NoticeView } from '@/screens/notices/notices'

describe('a notice', () => {
  it('is sent as it is typed, a publication with its days', () => {
    const draft = { ...emptyNotice('dsj'), title: ' 国庆封存 ', body: '放假期间一律封存。', valid_to: '2026年10月8日' }
    expect(noticeFlaws(draft)).toEqual({})
    expect(noticeBody(draft)).toMatchObject({ organisation: 'dsj', title: '国庆封存', valid_to: '2026-10-08', units: [], receipt: false })
    expect('kind' in noticeBody(draft)).toBe(false)
    expect(noticeFlaws({ ...draft, kind: 'disposals', body: '', first: '3月1日' })).toEqual({ first: 'badDay', last: 'must' })
    expect(noticeBody({ ...draft, kind: 'rentals', first: '20260101', last: '2026-03-31', valid_to: '' })).toMatchObject({ kind: 'rentals', first: '2026-01-01', last: '2026-03-31', valid_to: null })
  })
  it('has a state for its reader', () => {
    const row = { withdrawn_at: null, valid_to: null, receipt: true, confirmed_at: null, read_at: null }
    const state = (change: object): string => noticeSign({ ...row, ...change }, '2026-11-30').state
    expect([{}, { receipt: false }, { receipt: false, read_at: 'x' }, { confirmed_at: 'x' }, { valid_to: '2026-11-29' }, { valid_to: '2026-11-30' }, { withdrawn_at: 'x' }].map(state)).toEqual(['toConfirm', 'unread', 'read', 'confirmed', 'ended', 'toConfirm', 'withdrawn'])
    expect(unitsOf([{ organisation: 'a' }, { organisation: null }, { organisation: 'a' }])).toEqual(['a'])
  })
  it('of fuel is of a quarter that is over, and says whom to ask', () => {
    expect(quartersOver('2026-11-30', 4).map((one) => [one.first, one.last])).toEqual([['2026-07-01', '2026-09-30'], ['2026-04-01', '2026-06-30'], ['2026-01-01', '2026-03-31'], ['2025-10-01', '2025-12-31']])
    const draft = { ...emptyNotice('dsj'), kind: 'fuel' as const, title: '三季度油耗', first: '2026-07-01', last: '2026-09-30' }
    expect(noticeFlaws(draft)).toEqual({ phone: 'must' })
    expect(noticeBody({ ...draft, phone: ' 85098000 ' })).toMatchObject({ kind: 'fuel', phone: '85098000', plates: 'masked', replaces: null, reason: '' })
    expect(noticeBody({ ...draft, kind: 'rentals' })).toMatchObject({ plates: null })
  })
  it('is corrected by another of the same days, with a reason', () => {
    const found = { id: 'n1', organisation: 'dsj', kind: 'fuel', roles: [], title: '油耗', body: '', valid_to: null, pinned: false, receipt: true, terms: { first: '2026-07-01', last: '2026-09-30', phone: '1', plates: 'full' } } as unknown as NoticeView
    const draft = correcting(found)
    expect(noticeFlaws(draft)).toEqual({ reason: 'must' })
    expect(noticeBody({ ...draft, reason: '里程录错了' })).toMatchObject({ replaces: 'n1', reason: '里程录错了', first: '2026-07-01', plates: 'full', receipt: true })
  })
  it('takes objections until its last day, and names its rows', () => {
    const row = { kind: 'fuel' as const, withdrawn_at: null, object_until: '2026-11-30' }
    expect([row, { ...row, object_until: null }, { ...row, object_until: '2026-11-29' }, { ...row, withdrawn_at: 'x' }, { ...row, kind: 'notice' as const }].map((one) => openToObjections(one, '2026-11-30'))).toEqual([true, true, false, false, false])
    expect(tableOf(['号牌'], [['a'], ['b']], [1, 3]).rows).toEqual([{ place: '1', 0: 'a' }, { place: '3', 0: 'b' }])
  })
})
