// What can be wrong in silence in the registry: a record through its form and back, files and their wrong rows, moments.
import { describe, expect, it } from 'vitest'

import { differences, merged } from '@/components/differences'
import { bodyOf, byField, valuesOf } from '@/screens/registry/form'
import { isTable, reasonsOf } from '@/screens/registry/importing'
import { KINDS } from '@/screens/registry/kinds'
import { wholeLines } from '@/api/progress'
import type { KindTable } from '@/screens/registry/kind'
import { written } from '@/text/csv'
import { parseMoment, typedMoment } from '@/text/moments'

function kind(name: string): KindTable {
  const found = KINDS.get(name)
  if (!found) throw new Error(name)
  return found
}
const ORDER = {
  id: 'PC-1', organisation: 'jsj', vehicle: 'car-1', driver: null, task_type: 'official', purpose: '调研', status: 'approved', origin: null,
  destinations: [{ name: '如皋', lat: 32.371, lon: 120.573, datum: 'gcj02', wgs84: { lat_e6: 1, lon_e6: 2 } }, { name: '市区', lat: null, lon: null, datum: null, wgs84: null }],
  return_point: null, planned_departure: '2026-03-02T00:30:00.250000Z', planned_return: '2026-03-02T09:30:00Z', extended_return: null, actual_departure: null, actual_return: null,
  cancelled_at: null, exchanges: [{ vehicle: 'car-2', since: '2026-03-02T02:00:00Z', driver: null }], applicant: null, approver: null, entered_at: '2026-03-01T00:00:00Z',
  holds_from: null, version: 1, entered_late: false,
}

describe('a record in its form', () => {
  it('goes back as it came, with what the form does not show, and is entered anew', () => {
    const { body, wrong } = bodyOf(kind('dispatch-orders'), ORDER, valuesOf(kind('dispatch-orders'), ORDER))
    expect(wrong).toEqual({})
    expect(body).toEqual({
      id: 'PC-1', organisation: 'jsj', vehicle: 'car-1', task_type: 'official', purpose: '调研', status: 'approved', exchanges: ORDER.exchanges,
      destinations: [{ name: '如皋', lat: 32.371, lon: 120.573, datum: 'gcj02' }, { name: '市区', lat: null, lon: null, datum: null }],
      planned_departure: '2026-03-02T00:30:00.250000Z', planned_return: '2026-03-02T09:30:00Z',
    })
  })
  it('reads what people type', () => {
    const values = { ...valuesOf(kind('vehicles'), null), id: 'car-9', plate: '苏f·12399', organisation: 'jsj', tank: '60.5', registered_on: '3月2日' }
    expect(bodyOf(kind('vehicles'), null, values, '2026-11-29').body).toEqual({
      id: 'car-9', plate: '苏F12399', organisation: 'jsj', energy: 'petrol', ownership: 'owned', tank: '60.5', registered_on: '2026-03-02',
    })
    expect(bodyOf(kind('vehicles'), null, { ...values, plate: ' ', tank: '六十', registered_on: '2月30日' }, '2026-11-29').wrong).toEqual({
      plate: 'required', tank: 'number', registered_on: 'day',
    })
  })
  it('does not say in the name of the office what a terminal said', () => {
    const row = { id: '13800000001', manufacturer: '70111', model: 'GT-1', device_id: 'A1', enabled: true, vehicle: null, valid_from: null, office_said: ['model'] }
    expect(bodyOf(kind('terminals'), row, valuesOf(kind('terminals'), row)).body).toEqual({ id: '13800000001', beside: false, model: 'GT-1', enabled: true })
  })
  it('keeps the point of a station, and its area', () => {
    const stations = kind('fuel-stations')
    const point = { id: 's', name: '站', aliases: [], geometry: { type: 'Point', coordinates: [120.89, 31.98] }, datum: 'gcj02' }
    expect(bodyOf(stations, point, valuesOf(stations, point)).body).toEqual({ id: 's', name: '站', lat: 31.98, lon: 120.89, datum: 'gcj02' })
    const area = { ...point, geometry: { type: 'Polygon', coordinates: [] } }
    expect(bodyOf(stations, area, valuesOf(stations, area)).body.geometry).toEqual(area.geometry)
  })
  it('shows what somebody else has changed beside what was typed, and keeps what is chosen', () => {
    const vehicles = kind('vehicles')
    const row = { id: 'a', plate: '苏F12345', organisation: 'jsj', category: '应急', report: '' }
    const opened = valuesOf(vehicles, row)
    const mine = { ...opened, category: '机要' }
    const theirs = valuesOf(vehicles, { ...row, category: '行政', report: '7号' })
    const found = differences(vehicles.fields.map((one) => one.name), opened, mine, theirs, (name) => name, (_name, value) => String(value))
    expect(found).toEqual([
      { name: 'category', label: 'category', mine: '机要', theirs: '行政', untouched: false }, { name: 'report', label: 'report', mine: '', theirs: '7号', untouched: true },
    ])
    expect(merged(mine, theirs, { category: 'mine', report: 'theirs' })).toEqual({ ...mine, report: '7号' })
    expect(merged(mine, theirs, { category: 'theirs', report: 'mine' })).toEqual({ ...opened, category: '行政' })
  })
  it('has errors at their fields', () => {
    expect(byField([{ pointer: '/destinations/0/datum', message: 'a' }, { pointer: '/plate', message: 'b' }, { pointer: '', message: 'c' }])).toEqual({
      destinations: [{ rest: '0/datum', message: 'a' }], plate: [{ rest: '', message: 'b' }],
    })
  })
  it('has a table for each column and no field twice', () => {
    for (const one of KINDS.values()) {
      const names = one.fields.map((field) => field.name)
      expect(new Set(names).size, one.name).toBe(names.length)
      for (const column of one.columns) expect(names, one.name).toContain(column.name)
    }
  })
})

describe('files', () => {
  it('are never formulas, whatever their words begin with', () => {
    expect(written([['a"b', 'c,d', '-5', '+1.5', '=1+1', '@SUM(A1)', '-1+cmd', '\tx']])).toBe(`\uFEFF"a""b","c,d",-5,+1.5,'=1+1,'@SUM(A1),'-1+cmd,"'\tx"\r\n`)
  })
  it('of JSON are told in a list, tables are given back by the server', () => {
    expect(['a.csv', 'a.TXT', 'a.xlsx', 'a.xls', 'a'].map(isTable)).toEqual([true, true, true, true, true])
    expect(['a.json', 'a.ndjson', 'a.jsonl'].map(isTable)).toEqual([false, false, false])
    expect(reasonsOf([{ row: 4, field: 'plate', column: null, message: '=过长 · too long' }], { row: '行', field: '列', why: '说明' })).toBe("\uFEFF行,列,说明\r\n4,plate,'=过长\r\n")
  })
  it('tell how far they are in whole lines', () => {
    expect(wholeLines('{"rows":9,"done":1}\n{"rows":9,"do')).toEqual([{ rows: 9, done: 1 }])
    expect(wholeLines('{"a":1}\nnonsense\n{"b":2}', true)).toEqual([{ a: 1 }, { b: 2 }])
  })
})

describe('moments', () => {
  const now = new Date('2026-03-02T20:00:00Z') // 3 March in Beijing
  it('are of China, as people write them', () => {
    expect(parseMoment('2026-03-02 8:05', now)).toBe('2026-03-02T08:05:00+08:00')
    expect(parseMoment('昨天 17：30', now)).toBe('2026-03-02T17:30:00+08:00')
    expect(parseMoment('3月2日', now)).toBe('2026-03-02T00:00:00+08:00')
    expect(parseMoment('2026-03-02T08:05:09', now)).toBe('2026-03-02T08:05:09+08:00')
    for (const bad of ['2026-03-02 24:00', '2026-02-30 08:00', '8:00', 'x']) expect(parseMoment(bad, now), bad).toBeNull()
    expect(typedMoment('2026-03-02T00:30:00Z')).toBe('2026-03-02 08:30')
    expect(typedMoment('2026-03-02T00:30:09Z')).toBe('2026-03-02 08:30:09')
  })
})
