import { expect, it } from 'vitest'

import { errorTable, momentOf } from '@/screens/complaints/complaints'

it('a moment is of the clock of Beijing, wherever the desktop stands', () => {
  expect(momentOf('2026-03-02T21:14')).toBe('2026-03-02T21:14:00+08:00')
  expect(momentOf('2026-03-02T21:14:05')).toBe('2026-03-02T21:14:05+08:00')
  expect([momentOf(''), momentOf('昨天')]).toEqual([null, null])
})

it('a table of errors has no cell that is taken for a formula', () => {
  const table = errorTable([{ row: 3, field: 'claim', message: '=HYPERLINK("x")' }], ['行', '列', '问题'])
  expect(table).toBe('\uFEFF"行","列","问题"\r\n"3","claim","\'=HYPERLINK(""x"")"\r\n')
})
