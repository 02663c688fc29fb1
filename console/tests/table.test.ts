import { mount } from '@vue/test-utils'
import { createPinia } from 'pinia'
import { describe, expect, it } from 'vitest'

import { ApiProblem } from '@/api/problem'
import DataTable from '@/components/DataTable.vue'
import { cardPlaces, prepended, sortAfterClick, sortOf, sortQuery, sortText, sortsOf, type Column, type Sort } from '@/components/table'
import { safeReturn } from '@/app/router'
import { i18n } from '@/i18n'

const rows = Array.from({ length: 100_000 }, (_, k) => ({ id: `a${k}`, text: `<b>${k}</b>` }))

function table(more: object = {}) {
  return mount(DataTable, {
    props: { label: 'list', columns: [{ key: 'text', title: 'Text', width: '1fr' }], rows, idOf: (row: object) => String(Reflect.get(row, 'id')), selectable: true, ...more },
    global: { plugins: [createPinia(), i18n] },
  })
}

describe('DataTable', () => {
  it('draws few of many rows, as text', () => {
    const made = table()
    expect(made.findAll('.line').length).toBeLessThan(40)
    expect(made.get('.line').text()).toContain('<b>0</b>')
    expect(made.get('[role=grid]').attributes('aria-rowcount')).toBe('100001')
  })
  it('is worked by keys', async () => {
    const made = table()
    const grid = made.get('[role=grid]')
    for (const key of ['j', 'j', 'x', 'k', ' ', 'Enter']) {
      // oxlint-disable-next-line no-await-in-loop
      await grid.trigger('keydown', { key })
    }
    expect(made.emitted('update:selected')).toEqual([[['a1']], [['a1', 'a0']]])
    expect(made.emitted('open')).toEqual([[rows[0]]])
    await grid.trigger('keydown', { key: 'End' })
    expect(made.get('.current').attributes('data-id')).toBe('a99999')
  })
  it('is ordered at the heads of its columns', async () => {
    const columns = [{ key: 'text', title: 'Text', width: '1fr', order: { by: 'time', first: 'desc' } }, { key: 'id', title: 'Id', width: '4em' }]
    const made = table({ columns, sort: { by: 'time', direction: 'desc' } })
    const heads = made.findAll('[role=columnheader]').slice(1)
    expect(heads.map((one) => one.attributes('aria-sort'))).toEqual(['descending', undefined])
    expect(heads[1]?.find('button').exists()).toBe(false)
    await heads[0]?.get('button').trigger('click')
    expect(made.emitted('sort')).toEqual([[{ by: 'time', direction: 'asc' }]])
    await made.setProps({ sort: { by: 'other', direction: 'asc' } })
    expect(heads[0]?.attributes('aria-sort')).toBe('none')
  })
  it('goes on by itself while nobody could scroll to more', async () => {
    const made = table({ rows: rows.slice(0, 3), hasMore: false })
    await made.setProps({ hasMore: true })
    expect(made.emitted('more')).toHaveLength(1)
    await made.setProps({ refreshing: true }) // it is being fetched
    expect(made.emitted('more')).toHaveLength(1)
    await made.setProps({ rows: rows.slice(0, 3), refreshing: false })
    expect(made.emitted('more')).toHaveLength(2)
    await made.setProps({ rows: rows.slice(0, 500) })
    expect(made.emitted('more')).toHaveLength(2)
    await made.setProps({ rows: [], problem: new ApiProblem(0, 'x', '', '') }) // and not again and again where it fails
    expect(made.emitted('more')).toHaveLength(2)
  })
  it('shows what is new in bold letters', () => {
    const made = table({ rows: rows.slice(0, 3), strong: (row: object) => Reflect.get(row, 'id') === 'a1' })
    expect(made.findAll('.line').map((one) => one.classes('strong'))).toEqual([false, true, false])
  })
  it('tells apart empty, loading and failed', () => {
    expect(table({ rows: [] }).text()).toContain('没有符合条件的记录')
    expect(table({ rows: [], loading: true }).text()).toContain('正在加载')
    expect(table({ rows: [], problem: new Error('x') }).find('[role=alert]').exists()).toBe(true)
  })
})

describe('rows that come in', () => {
  it('above are told from another list', () => {
    const before = ['a', 'b', 'c', 'd', 'e', 'f']
    expect(prepended(before, before)).toBe(0)
    expect(prepended(before, ['x', 'y', ...before])).toBe(2)
    expect(prepended(before, ['b', 'a', 'c'])).toBe(null)
    expect(prepended(before, ['x', 'a', 'c', 'd'])).toBe(null)
    expect(prepended(before, [])).toBe(null)
    expect(prepended([], before)).toBe(null)
    expect(prepended(['a'], ['x', 'a', 'z'])).toBe(1)
  })
  it('leave the row where the keyboard is', async () => {
    const made = table({ rows: rows.slice(10, 30) })
    const grid = made.get('[role=grid]')
    await grid.trigger('keydown', { key: 'j' })
    await grid.trigger('keydown', { key: 'j' })
    expect(made.get('.current').attributes('data-id')).toBe('a11')
    await made.setProps({ rows: rows.slice(8, 30), fresh: new Set(['a8', 'a9']) })
    expect(made.get('.current').attributes('data-id')).toBe('a11')
    expect(made.findAll('.fresh').map((one) => one.attributes('data-id'))).toEqual(['a8', 'a9'])
    await made.setProps({ rows: rows.slice(50, 60) })
    expect(made.find('.current').exists()).toBe(false)
  })
})

describe('a card', () => {
  it('has two short columns to a line and the long ones below', () => {
    const column = (width: string, card?: false): Column => ({ key: width, title: '', width, ...(card === false ? { card } : {}) })
    const { places, lines } = cardPlaces([column('10em'), column('minmax(16em, 5fr)'), column('8em'), column('7em', false), column('minmax(8em, 1fr)')])
    expect(lines).toBe(4)
    expect(places.map((one) => one && [one.line, one.lines, one.whole, one.second])).toEqual([
      [0, 1, false, false], [2, 2, true, false], [0, 1, false, true], null, [1, 1, true, false],
    ])
  })
})

describe('the order in the address', () => {
  const usual: Sort = { by: 'detected', direction: 'desc' }
  it('is named where it is not the usual one', () => {
    expect(sortOf(undefined, usual)).toEqual(usual)
    expect(sortOf('occurred.asc', usual)).toEqual({ by: 'occurred', direction: 'asc' })
    for (const odd of ['occurred', '.asc', 'occurred.up', '']) expect(sortOf(odd, usual)).toEqual(usual)
    expect(sortText(usual, usual)).toBeUndefined()
    for (const one of sortsOf(['detected', 'planned_departure'])) expect(sortText(sortOf(one, usual), usual)).toBe(one === 'detected.desc' ? undefined : one)
    expect(sortQuery(undefined)).toEqual({})
    expect(sortQuery('due.asc')).toEqual({ order: 'due', direction: 'asc' })
  })
  it('turns with each click', () => {
    const order = { by: 'due', first: 'asc' } as const
    const first = sortAfterClick(order, usual)
    expect(first).toEqual({ by: 'due', direction: 'asc' })
    expect(sortAfterClick(order, first)).toEqual({ by: 'due', direction: 'desc' })
    expect(sortAfterClick({ by: 'detected', first: 'desc' }, usual)).toEqual({ by: 'detected', direction: 'asc' })
  })
})

describe('the way back after signing in', () => {
  it('stays on this host', () => {
    expect(safeReturn('/alerts?x=1')).toBe('/alerts?x=1')
    for (const evil of ['//evil.example', '/\\evil.example', 'https://evil.example', 'javascript:alert(1)', '/login', undefined, ['/a']])
      expect(safeReturn(evil)).toBe('/')
  })
})
