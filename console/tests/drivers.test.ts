// What is typed into the forms of drivers, what is sent of it, and what may be done in which state.
import { describe, expect, it } from 'vitest'

import type { Objection } from '@/screens/drivers/drivers'
import { leaveSteps } from '@/screens/drivers/leaves'
import {
  daysBody, hoursText, hullText, isDay, leaveSpan, mondayOf, monthSpan, objecting, parseShifts, pointsAdded, quarters, shiftsText, weekBody, weekdayOf,
} from '@/screens/drivers/roster'
import { recordOf } from '@/screens/drivers/sheets'
import { dayWithYear } from '@/text/days'

describe('shifts', () => {
  it('are read as people write them', () => {
    const office = [{ from: '08:30', to: '12:00' }, { from: '14:00', to: '17:30' }]
    for (const text of ['8:30-12:00 14:00-17:30', '08：30－12:00，14:00～17:30', '8:30至12 14-17:30', ' 8:30–12:00、14:00–17:30 ']) expect(parseShifts(text), text).toEqual(office)
    for (const text of ['休', '休息', 'OFF']) expect(parseShifts(text), text).toEqual([])
    expect(parseShifts('20:00-次日6:00')).toEqual([{ from: '20:00', to: '06:00' }])
    expect(parseShifts('0-24')).toEqual([{ from: '00:00', to: '24:00' }])
  })
  it('that cannot be meant are refused', () => {
    for (const text of ['', ' ', '8:30', '8:30-', '8-25', '8:60-9', '24-8', '24:30-6', '8-12x', '8-12-14', '8-次日12', '上午', '1-2 3-4 5-6 7-8 9-10', '8-1214-17']) expect(parseShifts(text), text).toBeNull()
  })
  it('are shown short and long', () => {
    expect(shiftsText([{ from: '08:30', to: '12:00' }, { from: '20:00', to: '06:00' }], '次日')).toBe('8:30–12:00 20:00–次日6:00')
    expect(hullText([{ from: '08:30', to: '12:00' }, { from: '14:00', to: '17:30' }], '次日')).toBe('8:30–17:30')
    expect(hullText([{ from: '08:30', to: '12:00' }, { from: '20:00', to: '00:00' }], '次日')).toBe('8:30–次日0:00')
    expect(hullText([], '次日')).toBe('')
  })
})

describe('the form of a roster', () => {
  const week = { from: '2026-11-30', nothing: false, week: ['8-17', '8-17', '8-17', '8-17', '8-17', '休', '休'], note: ' 冬季 ' }
  it('sends seven days, Monday first, or that nothing is said any more', () => {
    expect(weekBody(week)).toEqual({ valid_from: '2026-11-30', note: '冬季', days: [...Array.from({ length: 5 }, () => [{ from: '08:00', to: '17:00' }]), [], []] })
    expect(weekBody({ ...week, week: week.week.map((day, k) => (k === 3 ? '' : day)) })).toBeNull()
    expect(weekBody({ ...week, nothing: true, week: ['', '', '', '', '', '', ''] })?.days).toBeNull()
    expect(weekBody({ ...week, from: '' })).toBeNull()
  })
  it('sends each single day', () => {
    const days = { first: '2026-12-31', last: '2027-01-02', same: false, shifts: '休', note: '' }
    expect(daysBody(days)).toEqual({ note: '', days: ['2026-12-31', '2027-01-01', '2027-01-02'].map((day) => ({ day, shifts: [] })) })
    expect(daysBody({ ...days, same: true, shifts: 'x' })?.days[0]).toEqual({ day: '2026-12-31', shifts: null })
    for (const wrong of [{ shifts: '' }, { last: '2026-12-30' }, { last: '2027-04-03' }, { first: '' }, { first: '2026-02-30' }]) expect(daysBody({ ...days, ...wrong }), JSON.stringify(wrong)).toBeNull()
    expect(daysBody({ ...days, last: '2027-04-02' })?.days).toHaveLength(93)
  })
})

describe('days', () => {
  it('of weeks, months and quarters', () => {
    expect(['2026-11-30', '2026-12-06', '2026-12-07'].map(mondayOf)).toEqual(['2026-11-30', '2026-11-30', '2026-12-07'])
    expect(['2026-11-30', '2026-12-06'].map(weekdayOf)).toEqual([0, 6])
    expect(['2026-02', '2028-02', '2026-12', '2026-13', '', '2026-1'].map(monthSpan)).toEqual([['2026-02-01', '2026-02-28'], ['2028-02-01', '2028-02-29'], ['2026-12-01', '2026-12-31'], null, null, null])
    expect(quarters('2026-01-15').slice(0, 3)).toEqual(['2026Q1', '2025Q4', '2025Q3'])
    expect([isDay('2026-02-28'), isDay('2026-02-29'), isDay(''), isDay(undefined)]).toEqual([true, false, false, false])
  })
  it('of papers have a year', () => {
    expect(['2032-03-01', '2032年3月1日', '20320301', '3月1日', '昨天', '2032-02-30', '长期'].map(dayWithYear)).toEqual(['2032-03-01', '2032-03-01', '2032-03-01', null, null, null, null])
  })
  it('of leave are whole where no time is said', () => {
    expect(leaveSpan('2026-12-31', '', '2026-12-31', '')).toEqual({ from: '2026-12-31T00:00:00+08:00', to: '2027-01-01T00:00:00+08:00' })
    expect(leaveSpan('2026-12-31', '13:30', '2026-12-31', '17:00')).toEqual({ from: '2026-12-31T13:30:00+08:00', to: '2026-12-31T17:00:00+08:00' })
    for (const wrong of [['2026-12-31', '', '2026-12-30', ''], ['2026-12-31', '17:00', '2026-12-31', '17:00'], ['', '', '2026-12-31', ''], ['2026-12-31', 'x', '2026-12-31', '']] as const)
      expect(leaveSpan(wrong[0], wrong[1], wrong[2], wrong[3]), wrong.join(' ')).toBeNull()
  })
  it('and hours', () => expect([0, 5, 125].map(hoursText)).toEqual(['0:00', '0:05', '2:05']))
})

describe('what may be done', () => {
  it('with a leave', () => {
    const [now, later, before] = [Date.parse('2026-11-30T12:00:00Z'), '2026-12-01T00:00:00Z', '2026-11-30T11:59:00Z']
    expect(leaveSteps({ state: 'asked', to: before }, true, true, now)).toEqual(['approve', 'reject', 'cancel'])
    expect(leaveSteps({ state: 'asked', to: later }, false, true, now)).toEqual(['cancel'])
    expect(leaveSteps({ state: 'approved', to: later }, true, true, now)).toEqual(['cancel'])
    expect(leaveSteps({ state: 'approved', to: before }, true, true, now)).toEqual([])
    expect(leaveSteps({ state: 'approved', to: later }, true, false, now)).toEqual([])
    for (const state of ['rejected', 'cancelled', 'ended'] as const) expect(leaveSteps({ state, to: later }, true, true, now), state).toEqual([])
  })
  it('with a line of a sheet', () => {
    const said = (state: Objection['state']) => ({ state }) as Objection
    const day = '2026-11-30'
    expect(objecting(false, null, undefined, true, false, day)).toBeNull()
    expect(objecting(true, null, undefined, true, false, day)).toBe('object')
    expect(objecting(true, day, undefined, true, false, day)).toBe('object')
    expect(objecting(true, '2026-11-29', undefined, true, false, day)).toBeNull()
    expect(objecting(true, day, undefined, false, true, day)).toBeNull()
    expect(objecting(true, day, said('open'), true, true, day)).toBeNull()
    expect(objecting(true, day, said('open'), false, true, day)).toBe('decide')
    expect(objecting(true, day, said('upheld'), false, true, day)).toBeNull()
  })
  it('with what a unit adds', () => {
    expect(['', ' ', '2', '０.5', '10'].map(pointsAdded)).toEqual(['', '', '2', '0.5', '10'])
    for (const wrong of ['0', '10.5', '1.25', '-1', 'x']) expect(pointsAdded(wrong), wrong).toBeNull()
  })
  it('with the record of a line', () => {
    expect(recordOf({ fact: 'late_entry', source: 'PC-1/return' })).toEqual({ name: 'dispatch-paper', params: { id: 'PC-1' } })
    expect(recordOf({ fact: 'low_rating', source: 'YC-1' })).toEqual({ name: 'trip', params: { id: 'YC-1' } })
    expect(recordOf({ fact: 'violation', source: 'V-1' })).toEqual({ name: 'record', params: { kind: 'violations', id: 'V-1' } })
    expect([recordOf({ fact: 'rest', source: 'x/1' }), recordOf({ fact: 'accident', source: 'KH-1' })]).toEqual([null, null])
  })
})
