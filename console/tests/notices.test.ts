// A notice as it is typed, and its state for its reader.
import { describe, expect, it } from 'vitest'

import { emptyNotice, noticeBody, noticeFlaws } from '@/screens/notices/draft'
import { noticeSign, unitsOf } from '@/screens/notices/notices'

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
})
