import { describe, expect, it } from 'vitest'

import { moments, newest, share, shown, unknown } from '@/components/chart/numbers'
import { opensOf, rowsPlace } from '@/components/opens'
import { days, isStale, kilometres } from '@/screens/cockpit/cockpit'
import { linesOf, processesOf, type Series } from '@/screens/operations/operations'
import { courseBy, months, places, ranks, span, together, type Group, type Statistics } from '@/screens/statistics/statistics'

describe('numbers of charts', () => {
  it('have their unit, and none where they are not known', () => {
    expect([null, undefined, Number.NaN].map((value) => shown(value, 's'))).toEqual(['—', '—', '—'])
    expect(shown(0, '/s')).toBe('0 /s')
    expect(shown(0.0042, 's')).toBe('4.2 ms')
    expect(shown(61.25, 's')).toBe('61.25 s')
    expect(shown(399_507_456, 'B')).toBe('381 MiB')
    expect(shown(1023, 'B')).toBe('1,023 B')
    expect(shown(1_234_567)).toBe('1,234,567')
  })
  it('stand at the moment at which their step begins', () => {
    expect(moments('2026-03-02T08:00:00+08:00', 60, 3)).toEqual([1_772_409_600, 1_772_409_660, 1_772_409_720])
    expect(newest([1, null, 0, null])).toBe(0)
    expect(newest([null])).toBeNull()
    expect(unknown([{ label: 'a', values: [null, null] }])).toBe(true)
    expect(unknown([{ label: 'a', values: [null, 0] }])).toBe(false)
  })
  it('are bars of the largest, and seen where there is one', () => {
    expect([share(0, 10), share(1, 1000), share(5, 10), share(10, 10), share(3, 0)]).toEqual([0, 1, 50, 100, 0])
  })
})

describe('rows of a number', () => {
  it('are asked for with the query of the number, there and back', () => {
    const opens = { path: '/v1/alerts', query: { rule: 'off_hours', began_from: '2026-03-02T00:00:00+08:00' } }
    const place = rowsPlace(opens, 12) as { query: Record<string, string> }
    expect(opensOf(place.query)).toEqual({ ...opens, counted: 12 })
    expect(opensOf({ list: '/v1/alerts', counted: '-1', cursor: 'x', rule: ['a', 'b'] })).toEqual({ path: '/v1/alerts', query: {}, counted: null })
  })
})

describe('cockpit', () => {
  it('says when it is old', () => {
    expect(isStale(0, 10 ** 9)).toBe(false)
    expect(isStale(1000, 20_000)).toBe(false)
    expect(isStale(1000, 21_001)).toBe(true)
  })
  it('names ages and kilometres', () => {
    expect(days({ from_days: 0, to_days: 3 })).toBe('0–3')
    expect(days({ from_days: 30, to_days: null })).toBe('30+')
    expect([kilometres(0), kilometres(1250), kilometres(12_345_678)]).toEqual(['0', '1.3', '12,346'])
  })
})

describe('operations', () => {
  const found = {
    from: '', to: '', step: 60, points: 2, figures: [],
    processes: [
      { process: 'gateway', instance: 'a:1', version: '1', starts: [], columns: { decoded: [1, null], memory_bytes: [5, 6] }, rejects: { checksum: [0, 2] } },
      { process: 'worker', instance: 'a:2', version: '1', starts: [], columns: { stored: [3, 4], memory_bytes: [7, null] }, rejects: {} },
    ],
    total: { columns: { decoded: [1, null], stored: [3, 4], memory_bytes: [12, 6] }, rejects: { checksum: [0, 2] } },
  } as Series
  const name = (column: string): string => column
  it('draws all together, one alone, and each', () => {
    const positions = { name: 'positions', unit: '/s', columns: ['decoded', 'confirmed', 'stored'] }
    expect(linesOf(positions, found, undefined, name)).toEqual([{ label: 'decoded', values: [1, null] }, { label: 'stored', values: [3, 4] }])
    expect(linesOf(positions, found, 'worker a:2', name)).toEqual([{ label: 'stored', values: [3, 4] }])
    expect(linesOf(positions, found, 'gone a:3', name)).toEqual([])
    const memory = { name: 'memory', unit: 'B', columns: ['memory_bytes'], each: true }
    expect(linesOf(memory, found, undefined, name).map((line) => line.label)).toEqual(processesOf(found))
    expect(linesOf(memory, found, 'worker a:2', name)).toEqual([{ label: 'worker a:2', values: [7, null] }])
    expect(linesOf({ name: 'rejects', unit: '/s', columns: [] }, found, undefined, name)).toEqual([{ label: 'checksum', values: [0, 2] }])
  })
})

describe('statistics', () => {
  it('show each group once, with the newest numbers of all', () => {
    const group = (key: string | null, alerts: number, masked_group = false) => ({ key, alerts, masked_group }) as Group
    const page = (of: number, ...items: Group[]) => ({ of, items }) as Statistics
    expect(together([])).toBeUndefined()
    const found = together([page(4, group('a', 9), group('b', 8)), page(5, group('b', 7), group(null, 5), group(null, 4, true), group('', 1))])
    expect(found?.of).toBe(5)
    expect(found?.items.map((one) => one.alerts)).toEqual([9, 8, 5, 4, 1])
  })
  it('have a 0 for a day without alerts, over the turn of a year and in a leap year', () => {
    expect(places('2026-12-30', '2027-01-02', 'day')).toEqual(['2026-12-30', '2026-12-31', '2027-01-01', '2027-01-02'])
    expect(places('2028-02-28', '2028-03-01', 'day')).toEqual(['2028-02-28', '2028-02-29', '2028-03-01'])
    expect(places('2026-11-30', '2027-01-01', 'month')).toEqual(['2026-11', '2026-12', '2027-01'])
    expect(places('2026-01-02', '2026-01-01', 'day')).toEqual([])
  })
  it('count 31 days where none are named', () => {
    expect(span({}, '2026-03-31')).toEqual({ from: '2026-03-01', to: '2026-03-31' })
    expect(span({ from: '2026-01-01' }, '2026-03-31')).toEqual({ from: '2026-01-01', to: '2026-03-31' })
    expect([courseBy('2026-03-01', '2026-03-31'), courseBy('2026-01-01', '2026-12-31')]).toEqual(['day', 'month'])
  })
  it('rank equal numbers equally', () => {
    expect(ranks([9, 7, 7, 3].map((alerts) => ({ alerts })))).toEqual([1, 2, 2, 4])
    expect(months('2026-02-10').slice(0, 4)).toEqual(['2026-02', '2026-01', '2025-12', '2025-11'])
    expect(months('2026-02-10')).toHaveLength(12)
  })
})
