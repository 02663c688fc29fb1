// Money as it is typed, what the forms of the costs send, and what may be done by hand in a reconciliation.
import { describe, expect, it } from 'vitest'

import { ApiProblem } from '@/api/problem'
import { contentsOf, costFlaws, costOf, emptyCost, KINDS, placedAt, versionWords, type EntryView } from '@/screens/costs/entries'
import { FACTS, factsEntered, factsOf } from '@/screens/costs/facts'
import { shownValue } from '@/screens/costs/indicators'
import { months, periodChoices, periodName, periodOf, spans } from '@/screens/costs/periods'
import { countsOf, hindrance, mappingDraft, mappingOf, OUTCOMES, sumsOf, typeOf, type RunLine } from '@/screens/costs/reconciling'
import { correctable, stateSign, STATES, stepBody, stepFields, STEPS, type StatementLine } from '@/screens/costs/statements'
import { commonWords, priceRows, type Terms } from '@/screens/costs/tariff'
import texts from '@/screens/costs/texts'
import { fenOf, thousandths, thousandthsOf, wholeOf, yuan } from '@/text/amounts'

const TODAY = '2026-11-30'
const say = (text: string): string => text

describe('money', () => {
  it('is read as people write it, and never as a fraction', () => {
    const read = ['350', '¥1,234.50', '12.5元', '－８０', '0.29', '1.005', '', 'abc', '1e3', '1234567890', '.5']
    expect(read.map(fenOf)).toEqual([35_000, 123_450, 1_250, -8_000, 29, null, null, null, null, null, null])
    expect([0, 5, 100, -35_000, 123_450].map(yuan)).toEqual(['0.00', '0.05', '1.00', '-350.00', '1234.50'])
  })
  it('has amounts in thousandths and whole ones', () => {
    expect(['45.32', '45.32升', '30 kWh', '12.3456', '-1'].map(thousandthsOf)).toEqual([45_320, 45_320, 30_000, null, -1_000])
    expect([45_320, 5, 0, 40_000].map(thousandths)).toEqual(['45.32', '0.005', '0', '40'])
    expect(['2', '2.5', '-1', ''].map(wholeOf)).toEqual([2, null, null, null])
  })
  it('has periods', () => {
    expect(['202603', '2026-3', '2026年3月', '202613', '2026', '三月'].map(periodOf)).toEqual(['202603', '202603', '202603', null, null, null])
    expect(['202603', '2026Q1', '2026'].map((one) => periodName(one, false))).toEqual(['2026年3月', '2026年第1季度', '2026年度'])
    expect(['202612', '2026Q4', '2026'].map((one) => periodName(one, true))).toEqual(['Dec 2026', 'Q4 2026', '2026'])
    expect(months('2026-01-31', 3, 1)).toEqual(['202512', '202511', '202510'])
    expect(spans(TODAY).filter((one) => one.includes('Q')).slice(0, 2)).toEqual(['2026Q4', '2026Q3'])
    expect(periodChoices(['202603'], '201901', false).map((one) => one.value)).toEqual(['201901', '202603'])
    expect(shownValue({ value: null, unit: '%' })).toBe('—')
    expect([shownValue({ value: 83.333_333, unit: '%' }), shownValue({ value: 12, unit: '次' }), shownValue({ value: 8.256, unit: '升/百公里' })]).toEqual(['83.3', '12', '8.26'])
  })
})

describe('the form of a cost', () => {
  const draft = { ...emptyCost('jsj', '昨天'), kind: 'fuel' as const, vehicle: '苏F12345', amount: '350', quantity: '45.32', price: '7.72', vendor: ' 中石化城东站 ', invoice_no: '2600001' }
  it('says at each field what is wrong', () => {
    expect(costFlaws(emptyCost('', ''), TODAY)).toEqual({ kind: 'needed', organisation: 'needed', vehicle: 'needed', day: 'needed', amount: 'needed' })
    expect(costFlaws({ ...draft, day: '改天', amount: '很多', quantity: '一箱', price: 'x', period: '13', invoice_no: '' }, TODAY)).toEqual({ day: 'day', amount: 'money', quantity: 'quantity', price: 'money', period: 'period', invoice_no: 'invoice' })
    expect(costFlaws(draft, TODAY)).toEqual({})
    // No invoice is written for a fine, nor asked for what is taken back; and a reason stands for one.
    expect(costFlaws({ ...draft, kind: 'fine', invoice_no: '', quantity: '' }, TODAY)).toEqual({})
    expect(costFlaws({ ...draft, amount: '-20', invoice_no: '' }, TODAY)).toEqual({})
    expect(costFlaws({ ...draft, invoice_no: '', no_invoice: '路边停车无票' }, TODAY)).toEqual({})
  })
  it('sends what was meant, and comes back the same', () => {
    const sent = contentsOf(draft, 'car-1', TODAY)
    expect(sent).toMatchObject({ kind: 'fuel', organisation: 'jsj', vehicle: 'car-1', occurred_on: '2026-11-29', amount_fen: 35_000, quantity: 45_320, unit_price_fen: 772, vendor: '中石化城东站', payer: null, driver: null, period: null })
    const view = { versions: [{ version: 1, step: 'enter', body: { contents: sent } }, { version: 2, step: 'reverse', body: { reason: 'x' } }] } as unknown as EntryView
    expect(contentsOf(costOf(view), 'car-1', TODAY)).toEqual(sent)
    expect(contentsOf({ ...draft, kind: 'parking', quantity: '2' }, 'car-1', TODAY).quantity).toBe(2)
  })
  it('puts each refusal at its field', () => {
    const problem = (errors: object[]) => new ApiProblem(409, 'invoice-booked', 't', 'd', errors as never)
    expect(placedAt(problem([{ pointer: '/contents/occurred_on', message: '未来' }, { pointer: '/invoice_no', message: '已入账' }, { pointer: '/reason', message: '太短' }]), say)).toEqual({ flaws: { day: '未来', invoice_no: '已入账', reason: '太短' }, others: false })
    expect(placedAt(problem([{ pointer: '/version', message: 'x' }]), say).others).toBe(true)
    expect(placedAt(problem([]), say).others).toBe(true)
  })
  it('says a version in words', () => {
    const words = versionWords({ contents: { kind: 'fuel', amount_fen: 35_000, quantity: 45_320, payer: 'unit', driver: null, note: '' }, reason: '写错 / wrong' })
    expect(words.map((one) => [one.name, one.value])).toEqual([['kind', 'fuel'], ['amount', '350.00'], ['quantity', '45.32'], ['payer', 'unit'], ['reason', '写错 / wrong']])
    for (const { name } of words) expect(texts.zh.cost).toHaveProperty([name])
  })
})

describe('a statement', () => {
  it('sends the version that was seen, and an amount in 分', () => {
    expect(stepBody('confirm', {}, 3, null)).toEqual({ version: 3 })
    expect(stepBody('pay', { reference: '付-12', reason: 'x' }, 4, null)).toEqual({ version: 4, reference: '付-12' })
    expect(stepBody('correct', { amount: '80.5', reason: '里程算错' }, 2, 17)).toEqual({ version: 2, line: 17, amount_fen: 8_050, reason: '里程算错' })
    expect(stepBody('correct', { reason: '不该有的' }, 2, 17)).toEqual({ version: 2, line: 17, reason: '不该有的' })
    expect(stepBody('correct', { amount: '0', reason: '免费' }, 2, 17)).toMatchObject({ amount_fen: 0 })
    expect(stepBody('correct', { amount: '很多' }, 2, 17)).toBeNull()
    expect(stepBody('correct', { amount: '-5' }, 2, 17)).toBeNull()
  })
  it('has its words', () => {
    for (const [step, form] of Object.entries(STEPS)) {
      expect(texts.zh.step).toHaveProperty([step])
      for (const field of stepFields(step as never, (name) => ({ label: name, hint: '' }))) expect(texts.zh.field).toHaveProperty([field.name])
      if (form.sure) expect(texts.zh.sure).toHaveProperty([step])
    }
    for (const state of STATES) {
      for (const group of [texts.zh.state, texts.zh.waiting]) expect(group).toHaveProperty([state])
      expect(stateSign(state)).toBeDefined()
    }
    for (const kind of KINDS) expect(texts.zh.kind).toHaveProperty([kind])
    for (const fact of FACTS) for (const group of [texts.zh.fact, texts.zh.factHint]) expect(group).toHaveProperty([fact])
  })
  it('lets a line be corrected once', () => {
    const [first, taken, instead] = [{ no: 1, kind: 'trip', corrects: null }, { no: 2, kind: 'reversal', corrects: 1 }, { no: 3, kind: 'corrected', corrects: 1 }] as StatementLine[]
    if (!first || !taken || !instead) throw new Error('lines')
    expect(correctable(first, [first])).toBe(true)
    expect([first, taken, instead].map((line) => correctable(line, [first, taken, instead]))).toEqual([false, false, true])
  })
  it('takes what the platform says of a trip', () => {
    const empty = { product: null, vehicle_class: null, area: null, waiting_min: 0, overnights: 0, days_outside: 0, count: null, distance_m: null, reason: null }
    expect(factsOf({})).toEqual({ body: empty, flaws: [] })
    expect(factsOf({ distance_m: '40.5', reason: '里程表损坏', waiting_min: '30', area: 'city' }).body).toEqual({ ...empty, distance_m: 40_500, reason: '里程表损坏', waiting_min: 30, area: 'city' })
    expect(factsOf({ waiting_min: '半小时', distance_m: '远' }).flaws).toEqual(['waiting_min', 'distance_m'])
    expect(factsOf(factsEntered({ ...empty, distance_m: 0, overnights: 2 } as never)).body).toEqual({ ...empty, distance_m: 0, overnights: 2 })
  })
  it('prints a tariff', () => {
    const terms = {
      name: '价目', source: '', km_basis: 'base_to_base', km: { unit_m: 1000, mode: 'up' }, rounding: { unit_fen: 100, mode: 'half_up' }, holiday_permille: 1500, holiday: 'festival', discount_permille: 0, pass_through: ['toll'],
      classes: [{ code: 'car', name: '轿车' }],
      lines: [{
        vehicle_class: 'car', areas: ['city'], default_product: 'km', overnight_fen: 10_000, driver_out_fen: 0,
        products: [{
          code: 'km', name: '按公里', unit: 'once', base_fen: 0, fixed_km: null, from_min: null, time: null, waiting: { free_min: 30, step_min: 30, partial: 'down', fen_per_step: 1_000, km_per_step: 0, cap_min: null, cap_fen: null },
          distance: { included_km: 0, method: 'sum', bands: [{ to_km: 50, flat_fen: 0, fen_per_km: 300, counts: 'band' }, { to_km: null, flat_fen: 0, fen_per_km: 0, counts: 'band' }] },
        }],
      }],
    } as unknown as Terms
    const named = (name: string, values: Record<string, unknown> = {}): string => `${name}${Object.values(values).join(',')}`
    expect(priceRows(terms, named)).toEqual([
      { key: '0 km', vehicle: '轿车', areas: 'area.city', product: '按公里', base: '—', rules: ['usual', 'upTo0,50perKm3.00', 'beyond50free', 'waitingfreeMinutes30eachStep30,10.00notBegun', 'overnight100.00'] },
    ])
    expect(commonWords(terms, named)).toEqual(['basis.base_to_base', 'kmRounding1000,mode.up', 'rounding1.00,mode.half_up', 'holiday.festival150', 'passedkind.toll'])
  })
})

describe('a reconciliation', () => {
  const line = (no: number, side: string, amount_fen: number, more = {}): RunLine => ({ no, side, amount_fen, organisation: 'jsj', step: null, ...more }) as RunLine
  it('says why lines cannot be matched', () => {
    const [a, b] = [line(1, 'finance', 100), line(9, 'platform', 90)]
    expect(hindrance([a])).toBe('few')
    expect(hindrance([a, b])).toBeNull() // what is wrong with the amount is told, not refused
    expect(hindrance([a, { ...b, step: 'number' } as RunLine])).toBe('taken')
    expect(hindrance([a, { ...b, organisation: 'wsj' }])).toBe('units')
    expect(hindrance([a, line(2, 'finance', 5)])).toBe('side')
    expect(hindrance([a, line(2, 'finance', -100)])).toBeNull()
    expect(hindrance(Array.from({ length: 101 }, (_, no) => line(no, no % 2 ? 'finance' : 'platform', 1)))).toBe('many')
    expect(sumsOf([a, b])).toEqual({ finance: 100, platform: 90 })
  })
  it('counts every outcome, also those that nothing has', () => {
    const counts = countsOf({
      standing: [{ side: 'finance', outcome: 'matched', name: '一致', lines: 3, amount_fen: 500, amount: '5.00' }],
      counts: { rows: { read: 9, totals: 1, closings: 0, other_periods: 0, other_costs: 0 }, finance: { matched: 2, undecided: 1 }, platform: { matched: 2 } },
    })
    expect(counts.map((one) => one.outcome)).toEqual(OUTCOMES)
    expect(counts[0]).toEqual({ outcome: 'matched', finance: { lines: 3, fen: 500 }, platform: { lines: 0, fen: 0 }, found: 4 })
    for (const one of OUTCOMES) for (const group of [texts.zh.outcome, texts.zh.meaning]) expect(group).toHaveProperty([one])
    expect(['a.XML', '凭证.xlsx', 'x'].map(typeOf)).toEqual(['application/xml', 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet', 'application/octet-stream'])
  })
  it('reads a mapping as it is typed, and gives it back', () => {
    const mapping = {
      fields: { date: '制单日', line: null }, record: ['分录'], units: { 市建设局: 'jsj' }, fill_down: true, classes: { fuel: ['30231', '30239'], toll: ['30231'] }, statement_classes: ['30239'], accounts: ['5001'],
      account_classes: { '5001.02': '30231' }, statement_lag: 1, days: 45,
    }
    expect(mappingOf(mappingDraft(mapping))).toEqual({ mapping, flaws: [] })
    const typed = { ...mappingDraft(mapping), units: '市建设局 ＝ jsj\n市卫健委', days: '很多', accounts: '5001, 5301；7001' }
    expect(mappingOf(typed).flaws).toEqual([{ field: 'units', line: '市卫健委' }, { field: 'days' }])
    expect(mappingOf(typed).mapping.accounts).toEqual(['5001', '5301', '7001'])
  })
})
