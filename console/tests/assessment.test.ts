// What can be wrong in silence in a scoring table: its sum, what the server would refuse, how two of them differ.
import { describe, expect, it } from 'vitest'

import { lastDay, type ScoreTable } from '@/screens/assessment/assessment'
import { changes, cleaned, flawsOf, hundredths, shownPoints, sumOf } from '@/screens/assessment/table'

const TABLE: ScoreTable = {
  items: [{ code: 'dispatch', name: '派车', maximum: '99.5' }, { code: 'marking', name: '标识', maximum: '0.5' }],
  entries: [
    { item: 'dispatch', fact: 'finding', findings: ['violation'], rules: ['location'], severities: ['high'], sources: null, points: '3' },
    { item: 'dispatch', fact: 'finding', findings: ['violation'], rules: null, severities: null, sources: null, points: '2' },
    { item: 'dispatch', fact: 'late_reply', findings: [], rules: null, severities: null, sources: null, points: '0.5' },
  ],
  give_back: { on_time_percent: 100, late_percent: 50, late_wd: 10 }, dispute_wd: 5, note: '',
}
const other = (change: (table: ScoreTable) => void): ScoreTable => {
  const made = JSON.parse(JSON.stringify(TABLE)) as ScoreTable
  change(made)
  return made
}
/** An element that is there. */
function one<T>(list: readonly T[], k: number): T {
  const found = list[k]
  if (found === undefined) throw new Error(String(k))
  return found
}
const said = (table: ScoreTable): string[] => flawsOf(table).map((flaw) => `${flaw.at} ${flaw.kind}`)

describe('points', () => {
  it('are whole hundredths, and no binary fractions', () => {
    expect(['0.1', '0.3', '2.5', '12', '99.9', '100', '100.0'].map(hundredths)).toEqual([10, 30, 250, 1200, 9990, 10000, 10000])
    for (const wrong of ['', '-1', '1.25', '101', '100.5', '１', '1e2', ' 1', '.5', '1.']) expect(hundredths(wrong), wrong).toBeNull()
    expect([0, 5, 250, 10000].map(shownPoints)).toEqual(['0.00', '0.05', '2.50', '100.00'])
    expect(sumOf([0.1, 0.2, 99.7].map((maximum) => ({ code: 'a', name: 'a', maximum: String(maximum) })))).toBe(10_000)
  })
})

describe('a scoring table', () => {
  it('that is right has no flaws', () => expect(said(TABLE)).toEqual([]))
  it('is refused as the server refuses it', () => {
    expect(said(other((table) => { one(table.items, 0).maximum = '99' }))).toEqual(['sum sum'])
    expect(said(other((table) => { one(table.items, 1).code = 'dispatch' }))).toEqual(['items.1.code twice'])
    expect(said(other((table) => { one(table.items, 1).code = 'Marking' }))).toEqual(['items.1.code code'])
    expect(said(other((table) => { one(table.items, 1).name = ' ' }))).toEqual(['items.1.name needed'])
    expect(said(other((table) => { one(table.entries, 0).item = 'gone' }))).toEqual(['entries.0.item noItem'])
    expect(said(other((table) => { one(table.entries, 0).findings = [] }))).toEqual(['entries.0.findings findings'])
    expect(said(other((table) => { one(table.entries, 2).findings = ['violation'] }))).toEqual(['entries.2.findings findings'])
    expect(said(other((table) => { one(table.entries, 1).points = '0' }))).toEqual(['entries.1.points points'])
    expect(said(other((table) => { table.entries = [] }))).toEqual(['entries none'])
    expect(said(other((table) => { Object.assign(table.give_back, { late_percent: '', late_wd: 1.5 }) }))).toEqual(['give_back.late_percent percent', 'give_back.late_wd days'])
    expect(said(other((table) => { table.dispute_wd = 0 }))).toEqual(['dispute_wd days'])
  })
  it('is sent with nothing chosen as any, and lateness without rules', () => {
    const sent = cleaned(other((table) => {
      Object.assign(one(table.entries, 1), { rules: [], severities: [] })
      Object.assign(one(table.entries, 2), { rules: ['location'], sources: ['alert'] })
    }))
    expect(sent.entries.slice(1)).toEqual(TABLE.entries.slice(1))
  })
  it('differs from another one in what is told, and in the order of what costs points', () => {
    const say = (entry: ScoreTable['entries'][number]): string => `${entry.item} ${entry.fact} ${(entry.rules ?? []).join()}`
    expect(changes(TABLE, TABLE, say)).toEqual([])
    const after = other((table) => {
      one(table.items, 1).maximum = '0.4'
      table.items.push({ code: 'new', name: '新', maximum: '0.1' })
      one(table.entries, 0).points = '4'
      table.entries.pop()
      table.dispute_wd = 7
    })
    expect(changes(TABLE, after, say)).toEqual([
      { what: 'item', name: 'marking', before: '标识 0.5', after: '标识 0.4' }, { what: 'item', name: 'new', before: '', after: '新 0.1' },
      { what: 'entry', name: 'dispatch finding location', before: '3', after: '4' }, { what: 'entry', name: 'dispatch late_reply ', before: '0.5', after: '' },
      { what: 'dispute_wd', name: '', before: '5', after: '7' },
    ])
    expect(changes(TABLE, other((table) => { table.entries.reverse() }), say).map((change) => change.what)).toEqual(['order'])
  })
  it('is of periods that end', () => expect(['2026', '2026Q1', '2026Q2', '2026Q3', '2026Q4'].map(lastDay)).toEqual(['2026-12-31', '2026-03-31', '2026-06-30', '2026-09-30', '2026-12-31']))
})
