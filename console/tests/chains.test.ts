// Approval tables: which row a case comes to, and a table as it is changed.
import { describe, expect, it } from 'vitest'

import { catchesAll, firstMatch, moved, tableTyped, typedTable, type Table } from '@/screens/chains/chains'

describe('an approval table', () => {
  const table = {
    pool: null, positions: [{ code: 'office', name: '办公室', users: ['a'] }, { code: 'leader', name: '分管领导', users: [] }],
    rows: [
      { name: '机要', categories: ['confidential'], purposes: [], scopes: [], day_types: [], min_hours: null, applicants: [], chain: ['office'], lead_min: 0, timeout_min: 120, substitute: null },
      { name: '长途', categories: [], purposes: [], scopes: ['outside'], day_types: ['rest'], min_hours: 8, applicants: ['chief'], chain: ['office', 'leader'], lead_min: 1440, timeout_min: 60, substitute: 'office' },
      { name: '其他', categories: [], purposes: [], scopes: [], day_types: [], min_hours: null, applicants: [], chain: ['office'], lead_min: 0, timeout_min: 120, substitute: null },
    ],
  } as unknown as Table
  const asked = { category: 'other', purpose: 'meeting', scope: 'outside', day: 'rest', hours: 8, applicant: 'chief' }
  it('has the first row that fits', () => {
    expect(firstMatch(table, asked)).toBe(1)
    expect([{ category: 'confidential' }, { hours: 7.9 }, { applicant: '' }, { day: 'unknown' }, { scope: 'city' }].map((one) => firstMatch(table, { ...asked, ...one }))).toEqual([0, 2, 2, 2, 2])
    expect(firstMatch({ ...table, rows: table.rows.slice(0, 1) }, asked)).toBe(-1)
    expect(table.rows.map(catchesAll)).toEqual([false, false, true])
  })
  it('comes back from its form as it was, and says what cannot be read', () => {
    expect(tableTyped(typedTable(table))).toEqual({ table })
    const typed = typedTable(table)
    expect(tableTyped({ ...typed, rows: typed.rows.map((row, place) => (place === 1 ? { ...row, chain: [] } : row)) })).toEqual({ wrong: 'row', number: 2 })
    expect(tableTyped({ ...typed, positions: [{ code: 'Office', name: 'x', users: '' }] })).toEqual({ wrong: 'position', number: 1 })
    expect(tableTyped(typedTable(null))).toEqual({ wrong: 'position', number: 1 })
    expect(moved(['a', 'b', 'c'], 2, -1)).toEqual(['a', 'c', 'b'])
  })
})
