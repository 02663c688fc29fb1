// The form of a request, what its refusals belong to, and what is sent with each step of a trip.
import { describe, expect, it } from 'vitest'

import { ApiProblem } from '@/api/problem'
import { contentsOf, emptyDraft, fieldOf, flawsOf, formOf, needsBasis, onceMore, placedFlaws, placesOf, timesOf, typedPoint } from '@/screens/trips/form'
import { STEPS, stepBody } from '@/screens/trips/steps'
import texts from '@/screens/trips/texts'
import { kmText, metresOf, REQUEST_STATES, spanText, stateSign } from '@/screens/trips/trips'

const NOW = Date.parse('2026-11-30T23:40:00+08:00')
const hall = { name: '市民中心', lat: 31.98, lon: 120.89, datum: 'wgs84' as const }
const school = { name: '', lat: 32.37, lon: 120.57, datum: 'gcj02' as const }
const say = (flaw: string): string => flaw

describe('the form of a request', () => {
  const draft = { ...emptyDraft('jsj'), stops: [school], origin: hall, departure: '明天9点', return: '3小时', reason: ' 参加全市工作会议 ', passengers: '２', passenger_list: '李雷、韩梅梅，' }
  const times = timesOf(draft, NOW)
  it('says at each field what is missing', () => {
    expect(flawsOf(emptyDraft(''), { departure: null, return: null }, say)).toEqual({
      stops: 'noPlace', origin: 'noPlace', planned_departure: 'needed', planned_return: 'needed', reason: 'needed', organisation: 'needed',
    })
    expect(flawsOf({ ...draft, departure: '尽快', reason: '开会', passengers: '两三个' }, { departure: null, return: times.return }, say)).toEqual({
      planned_departure: 'noTime', reason: 'short', passengers: 'noNumber',
    })
    expect(flawsOf({ ...draft, return: '明天8点' }, timesOf({ ...draft, return: '明天8点' }, NOW), say)).toEqual({ planned_return: 'backwards' })
    expect(flawsOf(draft, times, say)).toEqual({})
  })
  it('asks for a paper over night and outside of the city', () => {
    expect(needsBasis(draft, times)).toBe(false)
    expect(needsBasis({ ...draft, scope: 'province' }, times)).toBe(true)
    expect(needsBasis(draft, { departure: '2026-12-01T22:00:00+08:00', return: '2026-12-02T00:30:00+08:00' })).toBe(true)
  })
  it('sends what was meant, and comes back the same', () => {
    const sent = contentsOf(draft, times, null)
    expect(sent).toMatchObject({ kind: 'normal', reason: '参加全市工作会议', passengers: 2, passenger_list: ['李雷', '韩梅梅'], planned_departure: '2026-12-01T09:00:00+08:00', planned_return: '2026-12-01T12:00:00+08:00', stops: [school], origin: hall, applicant_name: null })
    const back = formOf({ ...sent, applicant: 'li', applicant_name: '李雷', scope: 'near' }, 'li')
    expect(contentsOf(back, timesOf(back, NOW), null)).toEqual(sent)
  })
  it('keeps for whom it was entered, and not when it is another trip', () => {
    expect(formOf({ applicant: 'li', applicant_name: '李雷' }, 'clerk').applicant_name).toBe('李雷')
    expect(onceMore({ ...contentsOf(draft, times, null), applicant: 'li', applicant_name: '李雷', kind: 'backfill' })).toMatchObject({ departure: '', return: '', applicant_name: '', backfill: false, reason: '参加全市工作会议' })
  })
  it('takes no place without coordinates', () => {
    expect(formOf({ stops: [{ name: '市区' }], origin: { name: 'x', lat: 1 } }, '')).toMatchObject({ stops: [null], origin: null })
    expect(typedPoint('31.98, 120.89')).toEqual({ name: '', lat: 31.98, lon: 120.89, datum: 'wgs84' })
    expect(typedPoint('120.89，31.98')).toMatchObject({ lat: 31.98, lon: 120.89 })
    expect(typedPoint('市区')).toBeNull()
    expect(typedPoint('1, 2')).toBeNull()
    expect(placesOf([{ stops: [hall, school], origin: hall }, { stops: [{ name: '市区' }] }])).toEqual([hall, school])
  })
  it('puts each refusal at its field', () => {
    expect(fieldOf({ pointer: '/contents/stops/0/lat', message: '' })).toBe('stops')
    expect(fieldOf({ pointer: '/version', message: '' })).toBeNull()
    const problem = (errors: object[]) => new ApiProblem(422, 'invalid', 't', 'd', errors as never)
    expect(placedFlaws(problem([{ pointer: '/planned_departure', message: '太晚' }, { pointer: '/contents/stops/1', message: '不是地点' }]), (m) => m)).toEqual({ flaws: { planned_departure: '太晚', stops: '不是地点' }, others: false })
    expect(placedFlaws(problem([{ pointer: '/x', message: 'y' }]), (m) => m)).toEqual({ flaws: {}, others: true })
    expect(placedFlaws(problem([]), (m) => m).others).toBe(true)
    expect(placedFlaws(null, (m) => m)).toEqual({ flaws: {}, others: false })
  })
})

describe('a step', () => {
  it('sends kilometres as metres, and nothing empty', () => {
    expect(stepBody('depart', { odometer_m: ' 12,345.6 公里', without_odometer: null, at: null }, 3, NOW)).toEqual({ body: { version: 3, odometer_m: 12_345_600 }, flaws: {} })
    expect(stepBody('depart', { odometer_m: 'abc' }, 3, NOW).flaws).toEqual({ odometer_m: 'noKm' })
    expect(stepBody('return', {}, 3, NOW).flaws).toEqual({ odometer_m: 'oneOf' })
    expect(stepBody('return', { without_odometer: '仪表盘损坏' }, 3, NOW)).toEqual({ body: { version: 3, without_odometer: '仪表盘损坏' }, flaws: {} })
    expect(stepBody('change', { extended_return: '明天18点', reason: '会议延长了' }, 4, NOW).body).toEqual({ version: 4, extended_return: '2026-12-01T18:00:00+08:00', reason: '会议延长了' })
    expect(stepBody('change', { extended_return: '晚点' }, 4, NOW).flaws).toEqual({ extended_return: 'noTime' })
    expect(stepBody('confirm', { rating: '4', note: null }, 9, NOW).body).toEqual({ version: 9, rating: 4 })
    expect(stepBody('approve', { reason: 'x' }, 9, NOW).body).toEqual({ version: 9 })
  })
  it('has its words', () => {
    for (const [step, form] of Object.entries(STEPS)) {
      expect(texts.zh.step, step).toHaveProperty([step])
      for (const field of form.fields) {
        expect(texts.zh.field, `${step}.${field.name}`).toHaveProperty([field.name])
        if (field.hint) expect(texts.zh.hint, `${step}.${field.name}`).toHaveProperty([field.name])
      }
    }
    for (const state of REQUEST_STATES) {
      expect(texts.zh.state).toHaveProperty([state])
      expect(stateSign(state)).toBeDefined()
    }
  })
  it('says a day once', () => {
    expect(spanText('2026-12-01T01:00:00Z', '2026-12-01T04:00:00Z')).toBe('2026-12-01 09:00 – 12:00')
    expect(spanText('2026-12-01T15:00:00Z', '2026-12-01T16:30:00Z')).toBe('2026-12-01 23:00 – 2026-12-02 00:30')
  })
  it('reads odometers as people write them', () => {
    expect([metresOf('0'), metresOf('１２３'), metresOf('1,234'), metresOf('12 km'), metresOf('-1'), metresOf(''), metresOf('12345678')]).toEqual([0, 123_000, 1_234_000, 12_000, null, null, null])
    expect(kmText(12_345_600)).toBe('12345.6')
    expect(kmText(null)).toBe('—')
  })
})
