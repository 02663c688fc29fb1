// What is typed where call-backs are drawn.
import { describe, expect, it } from 'vitest'

import { monthsOver, monthText, permilleOf } from '@/screens/callbacks/callbacks'

describe('a draw of call-backs', () => {
  it('has a share and a month that is over', () => {
    expect(['5', '0.5 %', '100', '０.1', '0', '100.1', '0.05', ''].map(permilleOf)).toEqual([50, 5, 1000, 1, null, null, null, null])
    expect(monthsOver('2026-02-03', 3)).toEqual(['202601', '202512', '202511'])
    expect(monthText('202601')).toBe('2026-01')
  })
})
