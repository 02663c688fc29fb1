// The feed of alerts as it comes: events out of pieces, nothing missed, nothing twice, and a proxy that keeps the line back.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { EventCutter } from '@/api/events'
import { ApiProblem } from '@/api/problem'
import { FIRST_MS, NewsStream, POLL_S, SILENT_MS, type NewsLine, type NewsSource } from '@/screens/alerts/news'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const alert = (seq: number, id = `a${seq}`, version = 1): string =>
  `id: c${seq}\nevent: alert\ndata: {"id":"${id}","version":${version},"plate":"苏F12345","rule":"location"}\n\n`
const BEGIN = 'retry: 3000\nid: c0\n\n'

describe('events', () => {
  const text = `\uFEFF${BEGIN}: heartbeat\nid: c1\n\n${alert(2)}event: end\r\ndata: {"reason":\r\ndata: "stopping"}\r\n\r\n`
  it.each([1, 2, 3, 7, 1000])('are the same in pieces of %i bytes', (size) => {
    const all = bytes(text)
    const cutter = new EventCutter()
    const found = []
    for (let at = 0; at < all.length; at += size) found.push(...cutter.push(all.subarray(at, at + size)))
    expect(found.map((one) => [one.id, one.event])).toEqual([['c0', 'message'], ['c1', 'message'], ['c2', 'alert'], ['c2', 'end']])
    expect(JSON.parse(found[2]?.data ?? '')).toEqual({ id: 'a2', version: 1, plate: '苏F12345', rule: 'location' })
    expect(JSON.parse(found[3]?.data ?? '')).toEqual({ reason: 'stopping' })
  })
  it('without end are refused', () => {
    const cutter = new EventCutter()
    expect(() => { for (let k = 0; k < 6; k += 1) cutter.push(bytes('x'.repeat(1024 * 1024))) }).toThrow(RangeError)
  })
})

describe('the line of news', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())
  type Open = (seconds: number | null) => Promise<ReadableStream<Uint8Array>>
  const says = (...parts: string[]): Open => async () => new ReadableStream({ start: (give) => parts.forEach((part) => give.enqueue(bytes(part))) })
  const saysAll = (...parts: string[]): Open => async () => new ReadableStream({ start: (give) => { parts.forEach((part) => give.enqueue(bytes(part))); give.close() } })
  const nothing: Open = () => new Promise(() => undefined)

  function site(opens: Open[], more: Partial<NewsSource> = {}) {
    const lines: NewsLine[] = []
    const told: string[] = []
    const asked: [string, number | null][] = []
    let begun = 0
    const source: NewsSource = {
      ...more,
      open: (last, seconds) => {
        asked.push([last, seconds])
        const act = opens.shift()
        return act ? act(seconds) : Promise.reject(new ApiProblem(403, 'missing-scope', 'no', 'no'))
      },
    }
    const stream = new NewsStream(source, {
      line: (state) => lines.push(state), begun: () => (begun += 1), news: (entries) => told.push(...entries.map((one) => `${one.id} ${one.version}`)),
    })
    return { lines, told, asked, stream, begun: () => begun }
  }

  it('goes on behind the last entry after a break, and says nothing twice', async () => {
    const one = site([
      saysAll(BEGIN, alert(1), alert(2)),
      says('retry: 3000\nid: c2\n\n', alert(2), alert(3), alert(4, 'a3', 2)),
    ])
    const running = one.stream.run()
    await vi.advanceTimersByTimeAsync(1_100)
    expect(one.asked).toEqual([['', null], ['c2', null]])
    expect(one.told).toEqual(['a1 1', 'a2 1', 'a3 1', 'a3 2'])
    expect(one.lines).toEqual(['connecting', 'live', 'lost', 'live'])
    expect(one.begun()).toBe(1)
    expect(one.stream.place).toBe('c4')
    one.stream.stop()
    await running
  })
  it('that is silent for too long is opened again', async () => {
    const one = site([says(BEGIN), says('id: c0\n\n')])
    const running = one.stream.run()
    await vi.advanceTimersByTimeAsync(SILENT_MS + 1_100)
    expect(one.lines).toEqual(['connecting', 'live', 'lost', 'live'])
    one.stream.stop()
    await running
  })
  it('that a proxy keeps back is asked again and again', async () => {
    const end = 'event: end\ndata: {"reason":"time_is_up"}\n\n'
    const one = site([nothing, saysAll(BEGIN, alert(1), end), saysAll('id: c1\n\n', end), says(BEGIN)])
    const running = one.stream.run()
    await vi.advanceTimersByTimeAsync(FIRST_MS + 100)
    // After two short answers the open line is tried again: that was a server that was slow once.
    expect(one.asked).toEqual([['', null], ['', POLL_S], ['c1', POLL_S], ['c1', null]])
    expect(one.told).toEqual(['a1 1'])
    expect(one.lines).toEqual(['connecting', 'polling', 'live'])
    one.stream.stop()
    await running
  })
  it('that stays kept back is tried again after more and more short answers', async () => {
    const end = 'id: c1\n\nevent: end\ndata: {"reason":"time_is_up"}\n\n'
    let open = nothing
    const one = site(Array.from({ length: 300 }, () => (seconds: number | null) => (seconds === null ? open : saysAll(end))(seconds)))
    const running = one.stream.run()
    await vi.advanceTimersByTimeAsync(7 * FIRST_MS)
    const short: number[] = []
    for (const [, seconds] of one.asked) {
      if (seconds === null) short.push(0)
      else short[short.length - 1] = (short.at(-1) ?? 0) + 1
    }
    expect(short.slice(0, 7)).toEqual([2, 4, 8, 16, 32, 60, 60])
    expect(one.lines).toEqual(['connecting', 'polling'])
    open = says(BEGIN)
    await vi.advanceTimersByTimeAsync(FIRST_MS + 100)
    expect(one.lines).toEqual(['connecting', 'polling', 'live'])
    one.stream.stop()
    await running
  })
  it('waits for who has to sign in again', async () => {
    let away = true
    const one = site([nothing, nothing], { waits: () => away })
    const running = one.stream.run()
    await vi.advanceTimersByTimeAsync(10 * FIRST_MS)
    expect(one.asked.length).toBe(1)
    away = false
    await vi.advanceTimersByTimeAsync(FIRST_MS)
    expect(one.asked.length).toBe(2)
    one.stream.stop()
    await vi.advanceTimersByTimeAsync(FIRST_MS + POLL_S * 1000 + 100)
    await running
  })
  it('begins anew where its place is not known any more, and ends where it is refused', async () => {
    const one = site([saysAll(BEGIN, alert(1)), () => Promise.reject(new ApiProblem(400, 'bad-cursor', 'no', 'no')), saysAll('id: c9\n\n')])
    const running = one.stream.run()
    await vi.advanceTimersByTimeAsync(20_000)
    expect(one.asked.map(([last]) => last)).toEqual(['', 'c1', '', 'c9'])
    expect(one.begun()).toBe(2)
    expect(one.lines[one.lines.length - 1]).toBe('refused')
    await running
  })
})
