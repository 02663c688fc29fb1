// What is typed into the forms of vehicles' affairs, and what is sent of it.
import { describe, expect, it } from 'vitest'

import { ApiProblem } from '@/api/problem'
import { enteredBody, enteredOf, type DialogField } from '@/components/dialogField'
import { movedOn } from '@/components/steps'
import { billOf, emptyBill, hoursOf, labourFen, minutesOf, typedBill } from '@/screens/vehicles/bill'
import { actFields, actStepFields, particularFields, particularsBody, repairFields } from '@/screens/vehicles/fields'
import { partOf } from '@/screens/vehicles/parts'
import texts from '@/screens/vehicles/texts'
import { ACT_STATES, actSign, REPAIR_STATES, repairSign, sealedNow } from '@/screens/vehicles/vehicles'

const t = (key: string): string => key

describe('fields of a dialog', () => {
  const fields: DialogField[] = [
    { name: 'price_fen', label: '', type: 'money' }, { name: 'odometer_m', label: '', type: 'thousandths' }, { name: 'seats', label: '', type: 'whole' }, { name: 'bought_on', label: '', type: 'day' }, { name: 'plate', label: '', type: 'plate' },
    { name: 'units', label: '', type: 'units', leftOut: true },
  ]
  it('are read as people write them', () => {
    expect(enteredBody(fields, { price_fen: '¥178,000.5', odometer_m: '12345.6公里', seats: ' 5 ', bought_on: '2024年3月1日', plate: '苏f·12345', units: [] })).toEqual({
      body: { price_fen: 17_800_050, odometer_m: 12_345_600, seats: 5, bought_on: '2024-03-01', plate: '苏F12345' }, flaws: {},
    })
    expect(enteredBody(fields, { price_fen: '1.234', odometer_m: '远', seats: '2.5', bought_on: '3月1日' }).flaws).toEqual({ price_fen: 'money', odometer_m: 'thousandths', seats: 'whole', bought_on: 'day' })
  })
  it('stand as the API has them, and come back the same', () => {
    const row = { price_fen: 17_800_050, odometer_m: 1798, seats: 5, bought_on: '2024-03-01', plate: '苏F12345', units: ['a'] }
    const typed = enteredOf(fields, row)
    expect(typed).toEqual({ price_fen: '178000.50', odometer_m: '1.798', seats: '5', bought_on: '2024-03-01', plate: '苏F12345', units: ['a'] })
    expect(enteredBody(fields, typed).body).toEqual(row)
    expect(enteredOf(fields, { seats: null })).toMatchObject({ seats: '', price_fen: '' })
  })
})

describe('a bill', () => {
  it('is the sum of its lines, half a 分 up', () => {
    const typed = { parts: [{ name: '机油滤清器', count: '2', price: '45.5' }, { name: '', count: '1', price: '' }], labour: [{ name: '更换', hours: '1.5', rate: '120' }, { name: '', hours: '', rate: '' }] }
    const bill = billOf(typed)
    expect(bill).toEqual({ parts: [{ name: '机油滤清器', part_no: '', count: 2, price_fen: 4550, old_returned: false }], labour: [{ name: '更换', minutes: 90, rate_fen: 12_000 }], total_fen: 27_100 })
    expect(labourFen(1, 90)).toBe(2)
    expect(bill && billOf(typedBill(bill))).toEqual(bill)
  })
  it('that cannot be read is none', () => {
    expect(billOf(emptyBill())).toBeNull()
    for (const wrong of [{ name: '', count: '1', price: '5' }, { name: '油', count: '0', price: '5' }, { name: '油', count: '1', price: '五' }, { name: '油', count: '1', price: '-5' }]) expect(billOf({ parts: [wrong], labour: [] }), JSON.stringify(wrong)).toBeNull()
    expect(['1.5', '0.25', '0.01', '0', '一'].map(minutesOf)).toEqual([90, 15, null, null, null])
    expect([hoursOf(90), hoursOf(15), hoursOf(100)]).toEqual(['1.5', '0.25', '1.667'])
  })
})

describe('steps', () => {
  it('have fields by what the API asks for', () => {
    const names = (fields: DialogField[]): string[] => fields.map((one) => one.name)
    expect(names(repairFields(t, 'submit', ['甲厂']))).toEqual(['shop', 'reason'])
    expect(names(repairFields(t, 'accept', []))).toEqual([])
    expect(names(repairFields(t, 'reject', []))).toEqual(['reason'])
    expect(names(actStepFields(t, 'approve', 'transfer'))).toEqual(['paper_no', 'effective_on'])
    expect(names(actStepFields(t, 'approve', 'disposal'))).toEqual(['paper_no'])
    expect(names(actFields(t, 'disposal'))).toEqual(['mode', 'reason', 'assessed_fen', 'assessment'])
  })
  it('that somebody else took first are told from other refusals', () => {
    const refusal = (status: number, more: Record<string, unknown>): ApiProblem => new ApiProblem(status, 'x', '', '', [], 0, null, more)
    expect(movedOn(refusal(409, { version: 3 }), 2)).toBe(true)
    for (const other of [refusal(409, { version: 2 }), refusal(409, {}), refusal(403, { version: 3 }), new Error('x')]) expect(movedOn(other, 2)).toBe(false)
  })
  it('and states have a word and a sign each', () => {
    expect(Object.keys(texts.zh.repairState)).toEqual([...REPAIR_STATES])
    expect(Object.keys(texts.zh.actState)).toEqual([...ACT_STATES])
    for (const one of REPAIR_STATES) expect(repairSign(one).sign).toBeTruthy()
    for (const one of ACT_STATES) expect(actSign(one).sign).toBeTruthy()
  })
})

describe('a vehicle', () => {
  it('says what is not known as the API wants it', () => {
    const { body } = enteredBody(particularFields(t), { vin: '', automatic: false, colour: '', seats: '' })
    expect(particularsBody(body)).toMatchObject({ vin: null, automatic: false, colour: '', marking: '', seats: null, price_fen: null })
    expect('correction' in body).toBe(false)
  })
  it('is sealed while a seal holds', () => {
    const seal = { sealed_from: '2026-03-01T00:00:00Z', sealed_to: '2026-03-02T00:00:00Z', reason: '' }
    const at = (text: string): number => Date.parse(text)
    expect([at('2026-02-28T23:59:50Z'), at('2026-02-28T23:59:59Z'), at('2026-03-01T12:00:00Z'), at('2026-03-01T23:59:59Z')].map((now) => sealedNow([seal], now) !== undefined)).toEqual([false, true, true, false])
    expect(sealedNow([{ ...seal, sealed_to: null }], at('2030-01-01T00:00:00Z'))).toBeTruthy()
  })
  it('has the parts that an address may name', () => {
    expect(['papers', 'nothing', undefined].map(partOf)).toEqual(['papers', null, null])
  })
})
