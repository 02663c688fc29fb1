// Each number of an alert's formula is one of the alert or of its frozen evidence; what can be found again in the evidence is the same.
import { readFileSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'

import { at, type Frozen } from '@/screens/alerts/detail/frozen'
import { formulaOf } from '@/screens/alerts/detail/formulas'
import { wrongSpans } from '@/screens/alerts/detail/formulas/card_binding'
import type { Formula, Judged, Quantity } from '@/screens/alerts/detail/formulas/parts'
import { monthBack } from '@/screens/alerts/detail/formulas/traffic_violations'
import { sha256, sm3 } from '@/screens/alerts/detail/hash'
import { moved, shown } from '@/screens/alerts/detail/quantities'
import texts from '@/screens/alerts/texts'

interface Sample {
  evidence: Frozen
  outcome: string
  reason: string
  measures: Judged['measures']
  parameters: Record<string, number>
}

const samples = JSON.parse(readFileSync('tests/evidence.json', 'utf8')) as Record<string, Sample>
const alertOf = (one: Sample): Judged => ({
  rule: String(one.evidence.rule), rule_version: Number(one.evidence.rule_version), reason_code: one.reason, measures: one.measures, parameters: one.parameters,
})
const quantities = (formula: Formula): Quantity[] => [
  ...formula.conditions.flatMap((one) => [one.left, one.right]), ...formula.steps.flatMap((one) => [one.result, ...one.terms]), ...formula.others,
  ...formula.checks.map((one) => one.told),
]

function compare(one: Sample): Formula {
  const formula = formulaOf(alertOf(one), one.evidence)
  for (const quantity of quantities(formula)) {
    const [kind, path = ''] = quantity.source.split(/:(.*)/)
    if (kind === 'measure') expect(quantity.value, path).toBe(one.measures[path]?.value)
    else if (kind === 'limit') expect(quantity.value, path).toBe(one.parameters[path])
    else if (kind === 'evidence') expect(quantity.value, path).toBe(at(one.evidence, path))
    else expect(kind).toBe('computed')
  }
  for (const check of formula.checks) expect(check.again, `${String(one.evidence.rule)} ${check.told.name}`).toBe(check.told.value)
  expect(formula.conditions.length).toBeGreaterThan(0)
  for (const condition of formula.conditions) expect(condition, `${String(one.evidence.rule)} ${one.reason}`).toMatchObject({ holds: true })
  return formula
}

describe('formulas', () => {
  it.each(Object.keys(samples))('%s: its numbers are those of the evidence, and what makes it suspected holds', (name) => {
    const sample = samples[name] as Sample
    const formula = compare(sample)
    const names = new Set(quantities(formula).map((one) => one.source))
    for (const measure of Object.keys(sample.measures)) expect(names).toContain(`measure:${measure}`)
    for (const limit of Object.keys(sample.parameters)) {
      // Seconds and metres of these are shown instead.
      if (!['min_km', 'grace_days'].includes(limit)) expect(names, limit).toContain(`limit:${limit}`)
    }
  })

  it('say each number in both languages', () => {
    const words = texts as unknown as Record<'zh' | 'en', { detail: { name: Record<string, string> } }>
    for (const sample of Object.values(samples)) {
      for (const { name } of quantities(formulaOf(alertOf(sample), sample.evidence))) {
        expect(Object.keys(words.zh.detail.name), name).toContain(name)
        expect(Object.keys(words.en.detail.name), name).toContain(name)
      }
    }
  })

  it('also of evidence of the first release', () => {
    const lines = gunzipSync(readFileSync('../tests/vectors/evidence-0.1.0/evidence.ndjson.gz')).toString().trim().split('\n')
    let compared = 0
    for (const line of lines) {
      const told = JSON.parse(line) as Omit<Sample, 'evidence'> & { evidence: string }
      if (told.outcome !== 'suspected') continue
      compare({ ...told, evidence: JSON.parse(told.evidence) as Frozen })
      compared += 1
    }
    expect(compared).toBeGreaterThan(600)
  })

  it('find what differs', () => {
    const sample = structuredClone(samples.mileage as Sample)
    sample.measures.mileage_m = { value: 21_601, unit: 'm' }
    const differing = formulaOf(alertOf(sample), sample.evidence).checks.filter((one) => one.again !== one.told.value)
    expect(differing.map((one) => [one.told.name, one.again])).toEqual([['mileage_m', 21_600]])
  })

  it('are shown without evidence as well, and of a rule that is not known', () => {
    for (const sample of Object.values(samples)) expect(formulaOf(alertOf(sample), {}).checks).toEqual([])
    const other = formulaOf({ rule: 'of_tomorrow', rule_version: 9, measures: { x_m: { value: 3, unit: 'm' } }, parameters: { limit_kmh: 5 } }, {})
    expect(other.others.map((one) => [one.source, one.value, one.unit])).toEqual([['measure:x_m', 3, 'm'], ['limit:limit_kmh', 5, 'km/h']])
  })

  it('know a month back and spans of a binding', () => {
    const us = (text: string): number => Date.parse(`${text}+08:00`) * 1000
    expect(monthBack(us('2026-03-31T10:00:00'))).toBe(us('2026-02-28T10:00:00'))
    expect(monthBack(us('2026-01-15T00:30:00'))).toBe(us('2025-12-15T00:30:00'))
    expect(wrongSpans((samples.card_binding as Sample).evidence)).toEqual([[us('2026-01-11T00:00:00'), us('2026-02-10T00:00:00')]])
  })
})

describe('numbers', () => {
  it('lose no digit', () => {
    expect(moved(1_234_567, 3)).toBe('1,234.567')
    expect(moved(-5, 3)).toBe('-0.005')
    expect(moved(120_000, 3)).toBe('120')
    expect(moved(1_500, 3)).toBe('1.5')
    expect(moved(21_600, 0)).toBe('21,600')
    expect(shown(31_999_995, '1e-6 degree').number).toBe('31.999995')
    expect(shown(90_000, 'fen')).toEqual({ number: '900', unit: { zh: '元', en: 'yuan' } })
    expect(shown(1320, 'clock').number).toBe('22:00')
    expect(shown(500, '1/1000').number).toBe('50')
    expect(shown(null, 'm').number).toBe('—')
  })
})

describe('hashes', () => {
  it('are those that everybody computes', () => {
    for (const length of [0, 1, 3, 55, 56, 63, 64, 65, 119, 120, 1000, 70_001]) {
      const bytes = Uint8Array.from({ length }, (_, k) => (k * 7 + length) % 256)
      expect(sha256(bytes), String(length)).toBe(createHash('sha256').update(bytes).digest('hex'))
      expect(sm3(bytes), String(length)).toBe(createHash('sm3').update(bytes).digest('hex'))
    }
    expect(sm3(new TextEncoder().encode('abc'))).toBe('66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0')
  })
})
