import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

import { ApiProblem } from '@/api/problem'
import { findingsOf, precisionOf, shownPrecision, type UnitCounts } from '@/screens/backtests/backtests'
import { EVERYONE, flawsOf, refusedFields, type Typed } from '@/screens/parameters/change'
import names from '@/screens/parameters/names'
import { inForce, lastMonth, lineOf, parseValue, triedBy, typesOf, type Known, type Stored } from '@/screens/parameters/parameters'

const known: Known = { rule: 'mileage', name: 'ratio_permille', unit: '1/1000', default: 1500, source: 's', minimum: 1000, maximum: 100_000 }
const row = (organisation: string | null, value: number, effective_from: string): Stored => ({
  rule: 'mileage', name: 'ratio_permille', organisation, value, effective_from, source: '', created_at: effective_from,
})
const units = [{ id: 'city', name: '', parent: null }, { id: 'wsj', name: '', parent: 'city' }, { id: 'yiyuan', name: '', parent: 'wsj' }]
const NOW = Date.parse('2026-03-01T00:00:00Z')

describe('the value in force', () => {
  const items = [
    row(null, 1400, '2026-01-01T00:00:00+08:00'), row(null, 1450, '2026-02-01T00:00:00+08:00'), row('wsj', 1300, '2025-01-01T00:00:00+08:00'),
    row('yiyuan', 1200, '2026-03-01T08:00:01+08:00'),
  ]
  it('is that of the nearest unit, whatever the dates', () => {
    expect(inForce(known, items, lineOf(units, 'yiyuan'), NOW)).toEqual({ value: 1300, by: 'wsj', since: '2025-01-01T00:00:00+08:00' })
    expect(inForce(known, items, lineOf(units, 'yiyuan'), NOW + 1000).value).toBe(1200)
  })
  it('is then that of everyone, the newest, then the default', () => {
    expect(inForce(known, items, lineOf(units, 'city'), NOW)).toEqual({ value: 1450, by: null, since: '2026-02-01T00:00:00+08:00' })
    expect(inForce(known, [], [], NOW)).toEqual({ value: 1500, by: undefined, since: null })
  })
  it('ends where units stand in a ring', () => {
    expect(lineOf([{ id: 'a', name: '', parent: 'b' }, { id: 'b', name: '', parent: 'a' }], 'a')).toEqual(['a', 'b'])
  })
})

describe('values as people type them', () => {
  it('are exact', () => {
    expect(['1300', '1.3倍', '130%', '１．５ 倍', '1.001倍', '100.1%', '1,300'].map((text) => parseValue(text, '1/1000'))).toEqual([1300, 1300, 1300, 1500, 1001, 1001, 1300])
    expect(['1.3', '1.3005倍', '130.05%', '', 'x', '1e3'].map((text) => parseValue(text, '1/1000'))).toEqual([null, null, null, null, null, null])
    expect(parseValue('130%', 'm')).toBeNull()
  })
  it('are a time of the day where that is meant', () => {
    expect(['22:30', '6：00', '1320'].map((text) => parseValue(text, 'minute of the day'))).toEqual([1350, 360, 1320])
    expect(['24:00', '22:60'].map((text) => parseValue(text, 'minute of the day'))).toEqual([null, null])
  })
  it('of orders allowed at night', () => {
    expect(typesOf(55)).toEqual(['official', 'repair', 'inspection', 'emergency', 'tow'])
  })
})

describe('a proposed change', () => {
  const typed: Typed = { organisation: 'jsj', value: '1300', effective: '2026-03-02', basis: '文号', from: '2026-02-01', to: '2026-02-28' }
  it('is whole', () => {
    for (const trying of [true, false]) expect(flawsOf(typed, known, trying, '2026-03-01')).toEqual({})
    expect(flawsOf({ ...typed, organisation: EVERYONE, basis: '' }, known, true, '2026-03-01')).toEqual({})
  })
  it('has flaws by field', () => {
    const wrong: Typed = { organisation: '', value: '999', effective: '', basis: ' ', from: '2025-12-01', to: '2026-03-03' }
    expect(flawsOf(wrong, known, false, '2026-03-01')).toEqual({ organisation: 'chooseUnit', value: 'outOfRange', effective: 'needDay', basis: 'needBasis' })
    expect(flawsOf(wrong, known, true, '2026-03-01').to).toBe('periodFuture')
    // 92 days at most, both ends included.
    expect(flawsOf({ ...typed, from: '2026-01-01', to: '2026-04-02' }, known, true, '2026-05-01').to).toBe(undefined)
    expect(flawsOf({ ...typed, from: '2026-01-01', to: '2026-04-03' }, known, true, '2026-05-01').to).toBe('periodLong')
    expect(flawsOf({ ...typed, from: '2026-03-01' }, known, true, '2026-05-01').to).toBe('periodBackwards')
  })
  it('gets what the server refused to its fields', () => {
    const refused = new ApiProblem(422, 'validation', '', '', [{ message: 'a', pointer: '/parameters/ratio_permille' }, { message: 'b', pointer: '/effective_from' }, { message: 'c', pointer: '/to' }])
    expect(refusedFields(refused)).toEqual({ value: 'a', effective: 'b', to: 'c' })
  })
  it('is tried over the month before', () => {
    expect(lastMonth('2026-03-01')).toEqual({ from: '2026-02-01', to: '2026-02-28' })
    expect(lastMonth('2026-01-31')).toEqual({ from: '2025-12-01', to: '2025-12-31' })
    expect([triedBy('mileage', 'x'), triedBy('order', 'early_start_min'), triedBy('order', 'settle_after_h'), triedBy('track', 'gap_s')]).toEqual(['mileage', 'location', null, null])
  })
})

describe('precision', () => {
  const counts = { raised: 0, withdrawn: 0, changed: 0, unchanged: 0, waiting: 0 }
  const found: UnitCounts[] = [
    { organisation: 'a', name: 'A', counts, findings: { withdrawn: { violation: 1, justified: 3 }, unchanged: { violation: 2, unverifiable: 9 } } },
    { organisation: 'b', name: 'B', counts, findings: { unchanged: { irregular: 1, data: 1 } } },
  ]
  it('counts right ones among those of which something is said', () => {
    expect(precisionOf(findingsOf(found, ['withdrawn', 'unchanged']))).toEqual({ right: 4, said: 8 })
    expect(shownPrecision(precisionOf(findingsOf(found, ['unchanged'])))).toBe('3 / 4 = 75%')
    expect(shownPrecision({ right: 0, said: 0 })).toBe('—')
  })
})

describe('names', () => {
  it('are there for every parameter of the server, in both languages', () => {
    // Each group of registry.parameters begins at four spaces; its shared ones are constants there.
    const text = readFileSync('../src/registry/parameters.py', 'utf8')
    const source = text.split('RULES: Mapping')[1]?.split('MOVED')[0] ?? ''
    const constants = Object.fromEntries(Array.from(text.matchAll(/^([A-Z]+) = "(\w+)"$/gm), (found) => [found[1], found[2]]))
    let group = ''
    const there: string[] = []
    for (const found of source.matchAll(/^ {4}(?:"(\w+)"|([A-Z]+)): \(|Parameter\("(\w+)"/gm)) {
      if (found[3]) there.push(`${group}.${found[3]}`)
      else group = found[1] ?? constants[found[2] ?? ''] ?? ''
    }
    expect(there.length).toBeGreaterThan(60)
    for (const language of [names.zh, names.en]) expect(Object.entries(language).flatMap(([rule, of]) => Object.keys(of).map((name) => `${rule}.${name}`)).sort()).toEqual(there.slice().sort())
  })
})
