// What can be wrong in silence in the registry: a record through its form and back, files and their wrong rows, moments.
import { describe, expect, it } from 'vitest'

import { bodyOf, byField, changedMeanwhile, valuesOf } from '@/screens/registry/form'
import { refusedRows } from '@/screens/registry/importing'
import { KINDS } from '@/screens/registry/kinds'
import { wholeLines } from '@/api/progress'
import type { KindTable } from '@/screens/registry/kind'
import { decoded, parsed, written } from '@/text/csv'
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
  it('sees what somebody else has changed', () => {
    expect(changedMeanwhile(kind('dispatch-orders'), ORDER, { ...ORDER, purpose: '开会', version: 2 })).toEqual(['purpose', 'version'])
    expect(changedMeanwhile(kind('vehicles'), { id: 'a', updated_at: '1' }, { id: 'a', updated_at: '2' })).toEqual([])
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
  it('are read as a spreadsheet counts their rows', () => {
    expect(parsed('a,b\r\n"1,""x""",\n\n"two\nlines",3')).toEqual([['a', 'b'], ['1,"x"', ''], [''], ['two\nlines', '3']])
    expect(parsed('\uFEFFa;b\n1;2\n')).toEqual([['a', 'b'], ['1', '2']])
    expect(decoded(new Uint8Array([0xb3, 0xb5, 0xc5, 0xc6]))).toBe('车牌')
    expect(parsed(written([['a"b', 'c,d']]))).toEqual([['a"b', 'c,d']])
  })
  it('give back their wrong rows with the reasons', () => {
    const data = new TextEncoder().encode('编号,车牌号\nc1,苏F1\nc2,苏F2\nc3,苏F3\n').buffer as ArrayBuffer
    const errors = [
      { row: 4, field: 'plate', column: '车牌号', message: '过长 · too long' }, { row: 2, field: 'plate', column: '车牌号', message: '已属于 · taken' },
      { row: 4, field: 'organisation', column: null, message: '缺少 · missing' },
    ]
    expect(parsed(refusedRows(data, errors, '说明', { row: '行', field: '列' }))).toEqual([
      ['编号', '车牌号', '说明'], ['c1', '苏F1', '车牌号：已属于'], ['c3', '苏F3', '车牌号：过长；organisation：缺少'],
    ])
    expect(parsed(refusedRows(null, errors, '说明', { row: '行', field: '列' }))[1]).toEqual(['4', '车牌号', '过长'])
  })
  it('of a statement have titles above the header', () => {
    const data = new TextEncoder().encode('中国石化对账单\n卡号,交易时间,金额\n1,2026-03-02,x\n').buffer as ArrayBuffer
    expect(parsed(refusedRows(data, [{ row: 3, message: '应为数字 · number', field: 'amount', column: '金额' }], '说明', { row: '行', field: '列' }))).toEqual([
      ['卡号', '交易时间', '金额', '说明'], ['1', '2026-03-02', 'x', '金额：应为数字'],
    ])
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
