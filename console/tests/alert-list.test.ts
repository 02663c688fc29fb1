import { describe, expect, it } from 'vitest'

import { marked, type Alert } from '@/screens/alerts/alerts'

const row = (id: string, version: number, unread: boolean | null) => ({ id, version, unread }) as Alert
const shown = (data: unknown): (boolean | null)[] => (data as { pages: { items: Alert[] }[] }).pages.flatMap((page) => page.items.map((one) => one.unread))

describe('what was marked as read', () => {
  const pages = [{ items: [row('a', 1, true), row('b', 2, true)], next: 'x' }, { items: [row('c', 1, null), row('d', 1, false)], next: null }]
  const list = { pages, pageParams: [undefined, 'x'] }

  it('is so in the lists that are loaded, and in no others', () => {
    expect(shown(marked(list, new Map([['a', 1], ['c', 1]]), true))).toEqual([false, true, null, false])
    expect(shown(list)).toEqual([true, true, null, false])
    expect(marked({ items: [] }, new Map([['a', 1]]), true)).toEqual({ items: [] })
    expect(marked(undefined, new Map(), true)).toBeUndefined()
  })
  it('is not so of a version that came since', () => {
    expect(shown(marked(list, new Map([['b', 1]]), true))).toEqual([true, true, null, false])
  })
  it('can be unread again', () => {
    expect(shown(marked(list, new Map([['d', 1]]), false))).toEqual([true, true, null, true])
  })
})
