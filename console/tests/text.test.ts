import { QueryClient } from '@tanstack/vue-query'
import { describe, expect, it } from 'vitest'

import { bilingual, problemOf } from '@/api/problem'
import { leastWidth, windowOf } from '@/components/table'
import { useAction } from '@/composables/useAction'
import { keepFirstPages } from '@/composables/usePagedList'
import { treeOf } from '@/composables/useUnits'
import { parseDay } from '@/text/days'
import { isPlate, plainPlate, shownPlate } from '@/text/plates'
import { addDays, age, cellTime, dayOf, fullDay, fullTime, startOf } from '@/text/time'

describe('times are of China, whatever the desktop says', () => {
  it('says the zone', () => {
    expect(fullTime('2026-11-23T06:05:00Z')).toBe('2026年11月23日 14:05 北京时间')
    expect(fullTime('2026-11-23T06:05:00Z', 'en')).toBe('23 Nov 2026, 14:05 Beijing time')
  })
  it('crosses midnight', () => {
    expect(dayOf('2026-02-28T16:00:00Z')).toBe('2026-03-01')
    expect(cellTime('2026-02-28T15:59:59Z', true)).toBe('2026-02-28 23:59:59')
    expect(startOf('2026-03-02')).toBe('2026-03-02T00:00:00+08:00')
    expect(addDays('2024-02-28', 2)).toBe('2024-03-01')
    expect(fullDay('2026-03-02')).toBe('2026年3月2日')
  })
  it('refuses what is no time', () => {
    expect(() => cellTime('yesterday')).toThrow(RangeError)
  })
  it('tells an age', () => {
    const now = Date.parse('2026-03-02T00:00:00Z')
    expect(age(now - 59_000, now)).toBe('59 秒前')
    expect(age(now - 3_600_000, now, 'en')).toBe('1 h ago')
    expect(age(now + 60_000, now)).toBe('0 秒前') // a clock that is wrong
  })
})

describe('days as people write them', () => {
  const today = '2026-03-05'
  it.each([
    ['3月2日', '2026-03-02'], ['3/2', '2026-03-02'], ['３月２日', '2026-03-02'], ['昨天', '2026-03-04'], [' 今天 ', today], ['前天', '2026-03-03'],
    ['2026年3月2日', '2026-03-02'], ['20260302', '2026-03-02'], ['2026-3-2', '2026-03-02'], ['2026.03.02', '2026-03-02'],
    ['12月31日', '2025-12-31'], ['2月29日', '2024-02-29'],
  ])('%s', (text, day) => expect(parseDay(text, today)).toBe(day))
  it.each(['', '2月30日', '2026-13-01', '1969-01-01', '三月', '20260230', '3', 'x'])('refuses %s', (text) =>
    expect(parseDay(text, today)).toBeNull(),
  )
})

describe('plates as people write them', () => {
  it.each(['苏F12345', '苏F·12345', '苏f 12345', '苏Ｆ１２３４５', '苏F-12345'])('%s', (text) => expect(plainPlate(text)).toBe('苏F12345'))
  it('knows what is one', () => {
    expect(isPlate('苏F·D12345')).toBe(true)
    expect(isPlate('苏F1234警')).toBe(true)
    expect(isPlate('涉密-3f2a')).toBe(false)
    expect(shownPlate('苏F12345')).toBe('苏F·12345')
    expect(shownPlate('<b>苏F</b>')).toBe('<b>苏F</b>')
  })
})

describe('problems', () => {
  it('has both languages', () => {
    expect(bilingual('会话已结束，请重新登录 · the session has ended')).toEqual({ zh: '会话已结束，请重新登录', en: 'the session has ended' })
    expect(bilingual('公车管理处经办人 / vehicle office')).toEqual({ zh: '公车管理处经办人', en: 'vehicle office' })
    expect(bilingual('只有中文')).toEqual({ zh: '只有中文', en: '只有中文' })
    expect(bilingual('a / b')).toEqual({ zh: 'a / b', en: 'a / b' })
  })
  it('reads what the server says, and bears what is none', () => {
    const answer = new Response(null, { status: 429, headers: { 'Retry-After': '8' } })
    const problem = problemOf(answer, { type: 'urn:gongche:problem:too-many-failures', title: 't', status: 429, detail: 'd', version: 3 })
    expect([problem.code, problem.retryAfter, problem.more.version]).toEqual(['too-many-failures', 8, 3])
    expect(problemOf(new Response(null, { status: 502 }), '<html>').code).toBe('http')
  })
})

describe('a list that is fetched anew', () => {
  it('keeps its first pages only', () => {
    const queries = new QueryClient()
    const pages = Array.from({ length: 500 }, (_, k) => ({ items: [k] }))
    queries.setQueryData(['alerts', {}], { pages, pageParams: pages.map((_, k) => k) })
    queries.setQueryData(['alert', 'x'], { id: 'x' })
    keepFirstPages(queries)
    expect(queries.getQueryData(['alerts', {}])).toEqual({ pages: pages.slice(0, 3), pageParams: [0, 1, 2] })
    expect(queries.getQueryData(['alert', 'x'])).toEqual({ id: 'x' })
  })
})

describe('an action', () => {
  it('is done once at a time and keeps its refusal', async () => {
    const { busy, problem, run } = useAction()
    let times = 0
    const work = async (): Promise<void> => {
      times += 1
      await Promise.resolve()
    }
    expect(await Promise.all([run(work), run(work)])).toEqual([true, false])
    expect([times, busy.value]).toEqual([1, false])
    expect(await run(() => Promise.reject(new Error('no')))).toBe(false)
    expect(problem.value?.code).toBe('program')
  })
})

describe('lists', () => {
  it('draws the rows that are seen and a few beside', () => {
    expect(windowOf(0, 680, 34, 100_000)).toEqual({ first: 0, last: 28 })
    expect(windowOf(34 * 99_990, 680, 34, 100_000)).toEqual({ first: 99_982, last: 100_000 })
    expect(windowOf(5_000, 680, 34, 3)).toEqual({ first: 3, last: 3 })
  })
  it('knows how wide a table is at least', () => {
    expect(leastWidth(['2.5em', '10.6em', 'minmax(8em, 1fr)'])).toBe('21.1em')
  })
  it('shows a unit whose parent is not seen', () => {
    const tree = treeOf([{ id: 'b', name: 'B', parent: 'a' }, { id: 'c', name: 'C', parent: 'b' }])
    expect(tree.map((node) => node.id)).toEqual(['b'])
    expect(tree[0]?.children.map((node) => node.id)).toEqual(['c'])
  })
})
