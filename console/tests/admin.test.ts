// Dialogs of the administration and of one's account: what was entered as the API takes it; nothing said twice.
import { describe, expect, it } from 'vitest'

import { ApiProblem, unplaced } from '@/api/problem'
import { enteredBody } from '@/components/dialogField'
import { ROLES } from '@/screens/admin/admin'
import { SECTIONS } from '@/screens/admin/sections'
import texts from '@/screens/admin/texts'

describe('a dialog', () => {
  it('says null for what is empty, and moments in the time of China', () => {
    const fields = [
      { name: 'name', label: '', required: true }, { name: 'organisation', label: '', type: 'unit' as const }, { name: 'valid_to', label: '', type: 'moment' as const },
      { name: 'rules', label: '', type: 'choices' as const }, { name: 'enabled', label: '', type: 'flag' as const }, { name: 'note', label: '', leftOut: true },
    ]
    expect(enteredBody(fields, { name: ' 新人 ', organisation: '', valid_to: '2026-03-02 18:00', rules: [], enabled: false, note: '' })).toEqual({
      body: { name: '新人', organisation: null, valid_to: '2026-03-02T18:00:00+08:00', rules: null, enabled: false }, flaws: {},
    })
    expect(enteredBody(fields, { name: ' ', valid_to: '以后' }).flaws).toEqual({ name: 'missing', valid_to: 'moment' })
  })
  it('keeps the spaces of a password', () => {
    expect(enteredBody([{ name: 'password', label: '', type: 'password', required: true }], { password: ' a b ' }).body).toEqual({ password: ' a b ' })
  })
  it('says what stands at a field once', () => {
    const problem = new ApiProblem(422, 'invalid-data', '数据无效', 'organisation: 单位未登记', [{ pointer: '/organisation', message: '单位未登记' }])
    expect(unplaced(problem, ['organisation'], '请更正')).toMatchObject({ detail: '请更正', errors: [] })
    expect(unplaced(problem, ['name'], '请更正')).toMatchObject({ detail: 'organisation: 单位未登记', errors: problem.errors })
    expect(unplaced(null, [], '')).toBeNull()
  })
})

describe('the administration', () => {
  it('has a name for each role and each part', () => {
    expect(Object.keys(texts.zh.roles).sort()).toEqual([...ROLES].sort())
    expect(Object.keys(texts.zh.section).sort()).toEqual(SECTIONS.map((one) => one.name).sort())
  })
})
