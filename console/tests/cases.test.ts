// What is asked for and sent with each step of a case; what a thread says; drafts.
import { describe, expect, it } from 'vitest'

import { alertsIn, contentsOf, emptyDraft, formOf, titleFor } from '@/screens/cases/draft'
import { afterOwnFile, bodyOf, fieldsOf, flawsOf, papersOf, STEPS, written } from '@/screens/cases/steps'
import texts from '@/screens/cases/texts'
import { changedFields, differing, wordsOf } from '@/screens/cases/thread'
import { sizeText } from '@/text/sizes'

describe('the form of a step', () => {
  it('asks for responsibility and measures where the finding needs them, for the cause of a data problem', () => {
    expect(fieldsOf('close', { finding: 'violation' }, 'replied').map((one) => one.name)).toEqual(['finding', 'evidence', 'responsibility', 'measures', 'measures_due'])
    expect(fieldsOf('close', { finding: 'data' }, 'replied').map((one) => one.name)).toEqual(['finding', 'evidence', 'cause', 'subject'])
    expect(fieldsOf('close', { finding: 'justified' }, 'replied').map((one) => one.name)).toEqual(['finding', 'evidence'])
    expect(fieldsOf('grant', {}, 'refused').map((one) => one.name)).toEqual(['organisation', 'reason'])
    expect(fieldsOf('grant', {}, 'extension_asked').map((one) => one.name)).toEqual(['due_on', 'reason'])
  })
  it('sends nothing of fields that are not asked for any more, and nothing empty', () => {
    const typed = { finding: 'justified', evidence: ' 台账相符 ', measures: '谈话', cause: 'fence', responsibility: '' }
    expect(bodyOf('close', typed, 'replied', 7)).toEqual({ version: 7, finding: 'justified', evidence: '台账相符' })
    expect(bodyOf('note', { text: '看', internal: false }, 'working', 2)).toEqual({ version: 2, text: '看', internal: false })
  })
  it('says what is missing', () => {
    expect(flawsOf('cancel', { reason: ' 重复 ' }, 'working')).toEqual({ reason: 'short' })
    expect(flawsOf('reply', { text: '查过', checked: [] }, 'working')).toEqual({ checked: 'needed' })
    expect(flawsOf('sign', {}, 'issued')).toEqual({})
  })
  it('knows what would be lost', () => {
    expect(written('note', { internal: false })).toBe(false)
    expect(written('note', { text: '一句' })).toBe(true)
  })
  it('of every step has its words, and its question where it cannot be taken back', () => {
    for (const [step, form] of Object.entries(STEPS)) {
      expect(texts.zh.about, step).toHaveProperty([step])
      expect(texts.zh.step, step).toHaveProperty([step])
      if (form.final) expect(texts.zh.sure, step).toHaveProperty([step])
      for (const field of form.fields) expect(texts.zh.field, `${step}.${field.name}`).toHaveProperty([field.name])
    }
  })
  it('goes on after the own file only when nobody was between', () => {
    expect(afterOwnFile(4, 5)).toBe(5)
    expect(afterOwnFile(4, 6)).toBe(4)
  })
})

describe('papers', () => {
  it('are those of the steps that were taken, none before the issue', () => {
    expect(papersOf(null, ['draft', 'submit'])).toEqual([])
    expect(papersOf('督〔2026〕1号', ['draft', 'submit', 'issue', 'sign', 'reply'])).toEqual(['order'])
    expect(papersOf('督〔2026〕1号', ['issue', 'ask-extension', 'remind', 'sign-reply', 'close'])).toEqual(['order', 'reply', 'reminder', 'extension', 'closing'])
  })
})

describe('a thread', () => {
  const entry = (step: string, body: Record<string, unknown>) => ({ step, body }) as never
  it('tells codes from texts, and shows nothing of what is no word to people', () => {
    expect(wordsOf({ finding: 'data', cause: 'fence', evidence: '漂移', side: 'office', unit_name: '甲' }).map((one) => [one.name, one.kind, one.values])).toEqual([
      ['finding', 'coded', ['data']], ['evidence', 'text', ['漂移']], ['dataCause', 'coded', ['fence']],
    ])
    expect(wordsOf({ cause: '变更未登记' })[0]).toEqual({ name: 'cause', kind: 'text', values: ['变更未登记'] })
    expect(wordsOf({ title: '题', facts: '事' })).toEqual([])
  })
  it('says what an edit changed', () => {
    const thread = [entry('draft', { title: '一', basis: [] }), entry('note', { text: '注' }), entry('edit', { title: '二', person: '某' })]
    expect(changedFields(thread, 2)).toEqual(['title', 'person'])
    expect(changedFields(thread, 1)).toEqual([])
    expect(differing({ helpers: [] }, {})).toEqual([])
    for (const name of differing({}, Object.fromEntries(Object.keys(texts.zh.content).map((key) => [key, 'x'])))) expect(texts.zh.content).toHaveProperty([name])
  })
})

describe('a draft', () => {
  it('comes back as it went, and sends only what people write', () => {
    const contents = { title: '题', facts: '事', requirements: '要', basis: ['甲', '乙'], level: 'urgent', source: 'joint', organisation: 'jsj', helpers: ['wsj'], vehicle: 'car-1', figures: [{}], facts_original: '原' }
    const sent = contentsOf(formOf(contents), formOf(contents).vehicle)
    expect(sent).toMatchObject({ title: '题', basis: ['甲', '乙'], vehicle: 'car-1', helpers: ['wsj'], person: null, due_on: null })
    expect(Object.keys(sent)).not.toContain('figures')
    expect(contentsOf({ ...emptyDraft(), basis: ' 甲 \n\n甲\n乙' }, 'car-2')).toMatchObject({ basis: ['甲', '乙'], vehicle: 'car-2', facts: null })
  })
  it('takes the alerts of the address', () => {
    const [a, b] = ['a'.repeat(32), 'b'.repeat(32)]
    expect(alertsIn([a, `${b},${a}`, 'x'])).toEqual([a, b])
    expect(alertsIn(undefined)).toEqual([])
  })
  it('accuses nobody', () => {
    expect(titleFor([{ plate: '苏F1', rule: '定位异常' }, { plate: '苏F1', rule: '油耗异常' }])).toBe('关于苏F1疑似定位异常、油耗异常的督办')
  })
})

it('sizes', () => {
  expect([sizeText(812), sizeText(1536), sizeText(20 * 1024 * 1024)]).toEqual(['812 B', '1.5 KiB', '20.0 MiB'])
})
