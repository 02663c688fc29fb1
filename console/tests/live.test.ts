// The live map: frames byte for byte as the server's tests have them, states, and a line that breaks.
import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { ApiProblem } from '@/api/problem'
import { isOpen, newKey, type Command } from '@/screens/live/commands'
import { BrokenStream, endReason, FrameCutter, inflated, KIND, LiveTable, type Frame } from '@/screens/live/frames'
import { columnsOf, ORDER_SIGNS, ORDER_STATES, orderStateOf, taken, type OrderOf, type OrdersAnswer } from '@/screens/live/orders'
import { BY_ORDER, looks, OFFLINE_S, Picture, stateOf, STATES } from '@/screens/live/states'
import { orderWords } from '@/screens/live/words'
import { MOST_LOOKS } from '@/components/map/face'
import { LiveStream, POLL_MS, SILENT_MS, type LineState, type LiveSource } from '@/screens/live/stream'

interface Vector {
  name: string
  hex: string
  header: { kind: number; stale: boolean; seq: number; vehicles: number; full: number; changed: number; step: number; now_ms: number; epoch: number }
  vehicles: number[][]
}
const vectors = JSON.parse(readFileSync('../tests/vectors/live_frames.json', 'utf8')) as { frames: Vector[]; deflated: Vector[] }
const bytes = (hex: string): Uint8Array => Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
const rowsOf = (table: LiveTable): number[][] =>
  [...table.present.keys()].filter((k) => table.present[k]).map((k) =>
    [k, table.lon[k], table.lat[k], table.fix[k], table.speed[k], table.direction[k], table.flags[k]].map(Number))
const cut = (hex: string): Frame => {
  const [frame] = new FrameCutter().push(bytes(hex))
  if (!frame) throw new Error('no frame')
  return frame
}

describe('frames', () => {
  it.each([['plain', vectors.frames], ['deflated', vectors.deflated]] as const)('%s: say what the server meant', async (_, list) => {
    const table = new LiveTable()
    for (const one of list) {
      const frame = cut(one.hex)
      expect({
        kind: frame.kind, stale: frame.stale, seq: frame.seq, vehicles: frame.vehicles, full: frame.full, changed: frame.changed, step: frame.step,
        now_ms: frame.nowMs, epoch: frame.epoch,
      }, one.name).toEqual(one.header)
      if (frame.kind === KIND.end) expect(endReason(frame)).toBe('stopping')
      // oxlint-disable-next-line no-await-in-loop
      else table.take(await inflated(frame))
      expect(rowsOf(table), one.name).toEqual(one.vehicles)
    }
  })
  it('are cut out of pieces that end anywhere', () => {
    const all = bytes(vectors.frames.map((one) => one.hex).join(''))
    for (const size of [1, 7, 48, 101]) {
      const cutter = new FrameCutter()
      const seqs: number[] = []
      for (let at = 0; at < all.length; at += size) cutter.push(all.subarray(at, at + size)).forEach((frame) => seqs.push(frame.seq))
      expect(seqs).toEqual(vectors.frames.map((one) => one.header.seq))
    }
  })
  it('are refused when one is missing, torn or of something else', () => {
    const table = new LiveTable()
    const [first, second, third] = vectors.frames.map((one) => cut(one.hex)) as [Frame, Frame, Frame]
    expect(() => table.take(second)).toThrow(BrokenStream)
    table.take(first)
    expect(() => table.take(third)).toThrow(BrokenStream)
    expect(() => table.take({ ...second, body: second.body.slice(1) })).toThrow(BrokenStream)
    expect(() => new FrameCutter().push(new Uint8Array(48))).toThrow(BrokenStream)
  })
})

describe('states', () => {
  const now = 2_000_000_000
  const say = (flags: number, speed = 0, ago = 5) => STATES[stateOf(flags, speed, now - ago, now)]
  it('follow from flags, speed and age', () => {
    expect(say(7, 30)).toBe('moving')
    expect(say(7, 255)).toBe('idle')
    expect(say(7)).toBe('idle')
    expect(say(5)).toBe('stopped')
    expect(say(4)).toBe('stopped')
    expect(say(3, 30)).toBe('unlocated')
    expect(say(15, 30)).toBe('alarm')
    expect(say(20)).toBe('offline')
    expect(say(15, 30, OFFLINE_S + 1)).toBe('offline')
    expect(say(7, 30, -20)).toBe('moving') // the terminal's clock is ahead
  })
  it('are counted of what is looked at, and what is filtered out is not drawn', () => {
    const table = new LiveTable()
    table.take(cut(vectors.frames[0]?.hex ?? ''))
    const picture = new Picture()
    expect(picture.draw(table, null, null, false)).toEqual([0, 1, 0, 1, 0, 1])
    expect(picture.draw(table, Uint8Array.from([1, 0, 0]), null, false)).toEqual([0, 1, 0, 0, 0, 0])
    expect([...picture.points.look]).toEqual([1, 255, 255])
    expect(picture.points.x[0]).toBeCloseTo((120.9 + 180) / 360, 12)
    picture.draw(table, null, 3, false)
    expect([...picture.points.look]).toEqual([255, 255, 3])
    picture.draw(table, null, null, true)
    expect(new Set(picture.points.look)).toEqual(new Set([STATES.length])) // all dim
  })
})

describe('orders', () => {
  const now = 1_800_000_000
  const one: OrderOf = { order: 'P1', destination: '如东县', fromS: now - 3_600, untilS: now + 3_600, dueS: now + 1_800, overdueS: now + 3_600, allowed: false }
  const say = (order: OrderOf | undefined, moving: boolean, resting = false, at = now) => ORDER_STATES[orderStateOf(order, moving, resting, at)]
  const answer = (more: Partial<OrdersAnswer> = {}): OrdersAnswer => ({
    as_of: '2026-03-02T08:00:00+08:00', mark: 'r-1', whole: true, vehicles: ['a', 'b'], orders: ['P1', 'P2'], destinations: ['如东县', ''], from_s: [now - 60, now], until_s: [now + 60, now + 60],
    due_s: [now + 60, now + 60], overdue_s: [now + 60, null], allowed: [true, true], gone: [], resting_units: ['jsj'], ...more,
  })

  it('say what a vehicle is by them, at each moment', () => {
    expect(say(one, true)).toBe('onOrder')
    expect(say(one, false)).toBe('onOrder')
    expect(say(undefined, true)).toBe('unordered')
    expect(say(undefined, false)).toBe('free')
    // It ends, and it is overdue, without anything being told anew; who is back is not.
    expect(say(one, true, false, now + 3_600)).toBe('overdue')
    expect(say({ ...one, overdueS: null }, true, false, now + 3_600)).toBe('unordered')
    expect(say(one, true, false, now - 3_601)).toBe('unordered')
    // In off hours only an order that allows it is one.
    expect(say(undefined, true, true)).toBe('sealedMoving')
    expect(say(undefined, false, true)).toBe('sealed')
    expect(say(one, true, true)).toBe('sealedMoving')
    expect(say({ ...one, allowed: true }, true, true)).toBe('onOrder')
  })
  it('come whole, then as changes', () => {
    const first = taken(new Map(), answer())
    expect([...first.keys()]).toEqual(['a', 'b'])
    const second = taken(first, answer({ whole: false, vehicles: ['c'], orders: ['P3'], gone: ['a'] }))
    expect([...second.keys()].sort()).toEqual(['b', 'c'])
    expect(second.get('c')?.order).toBe('P3')
    expect([...taken(second, answer({ whole: true, vehicles: [] })).keys()]).toEqual([])
    expect(first.size).toBe(2) // what was shown is not touched
    const columns = columnsOf({ ids: ['c', 'x', 'a'], organisations: ['jsj', 'wsj', 'jsj'] }, second, ['jsj', 'nobody'])
    expect([columns.of.map((row) => row?.order), [...columns.resting]]).toEqual([['P3', undefined, undefined], [1, 0, 1]])
  })
  it('decide how vehicles are drawn, and are counted of what is looked at', () => {
    const table = new LiveTable()
    table.take(cut(vectors.frames[0]?.hex ?? ''))
    const picture = new Picture()
    const at = table.nowMs / 1000
    const columns = { of: [{ ...one, fromS: at - 10, untilS: at + 10, overdueS: null }, undefined, undefined], resting: Uint8Array.from([0, 0, 1]) }
    expect(picture.draw(table, null, null, false, columns)).toEqual([0, 1, 0, 1, 0, 1])
    expect([...picture.points.look]).toEqual([3, 5, 4].map((state) => BY_ORDER + state))
    expect(picture.orderNumbers).toEqual([0, 0, 0, 1, 1, 1])
    picture.draw(table, null, null, false, columns, 4)
    expect([...picture.points.look]).toEqual([255, 255, BY_ORDER + 4])
    picture.draw(table, null, null, false)
    expect([...picture.points.look]).not.toContain(BY_ORDER + 4)
    for (const dark of [true, false]) {
      expect(looks(dark).length).toBe(BY_ORDER + ORDER_STATES.length)
      expect(looks(dark).length).toBeLessThanOrEqual(MOST_LOOKS)
      expect(new Set(looks(dark).slice(BY_ORDER).map((look) => look.shape)).size).toBe(ORDER_STATES.length)
    }
    expect(new Set(Object.values(ORDER_SIGNS)).size).toBe(ORDER_STATES.length)
  })
  it('are said in a few words', () => {
    const eight = Date.parse('2026-03-02T08:00:00+08:00') / 1000
    expect(orderWords({ ...one, fromS: eight, dueS: eight + 4 * 3_600 })).toBe('08:00–12:00 如东县')
    expect(orderWords({ ...one, fromS: eight, dueS: eight + 28 * 3_600, destination: '' })).toBe('03-02 08:00–03-03 12:00')
  })
})

describe('the line', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())
  const snapshot = bytes(vectors.frames[0]?.hex ?? '')
  const delta = bytes(vectors.frames[1]?.hex ?? '')
  const tooLate = bytes(vectors.frames[2]?.hex ?? '')

  function site(opens: Array<(give: ReadableStreamDefaultController<Uint8Array>) => void>, epoch = 281474976710655) {
    const lines: LineState[] = []
    const seen: number[][][] = []
    let opened = 0
    const source: LiveSource = {
      roster: async () => ({ epoch, ids: ['a', 'b', 'c'], plates: ['', '', ''], organisations: ['', '', ''] }),
      open: async () => {
        const act = opens[opened++]
        if (!act) throw new ApiProblem(403, 'forbidden', 'no', 'no')
        return new ReadableStream<Uint8Array>({ start: act })
      },
    }
    const stream = new LiveStream(source, { line: (state) => lines.push(state), roster: () => undefined, frame: (table) => seen.push(rowsOf(table)) })
    return { lines, seen, stream, count: () => opened }
  }

  it('that says nothing for 5 s is opened again, and begins with a snapshot', async () => {
    const { lines, seen, stream, count } = site([(give) => { give.enqueue(snapshot); give.enqueue(delta) }, (give) => give.enqueue(snapshot)])
    const running = stream.run()
    await vi.advanceTimersByTimeAsync(100)
    expect([lines, seen.length]).toEqual([['connecting', 'live'], 2])
    await vi.advanceTimersByTimeAsync(SILENT_MS)
    expect(lines.at(-1)).toBe('lost')
    await vi.advanceTimersByTimeAsync(1_000)
    expect(lines.at(-1)).toBe('live')
    expect(seen.at(-1)).toEqual(vectors.frames[0]?.vehicles)
    expect(count()).toBe(2)
    stream.stop()
    await vi.advanceTimersByTimeAsync(SILENT_MS)
    await running
  })
  it('with a gap is opened again; a refusal ends it', async () => {
    const { lines, seen, stream } = site([(give) => { give.enqueue(snapshot); give.enqueue(tooLate) }])
    const running = stream.run()
    await vi.advanceTimersByTimeAsync(3_000)
    await running
    expect(lines).toEqual(['connecting', 'live', 'lost', 'refused'])
    expect(seen.length).toBe(1)
  })
})

describe('a proxy that keeps the line back', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())
  it('is found out: short answers are asked for, and it is said', async () => {
    const snapshot = bytes(vectors.frames[0]?.hex ?? '')
    const lines: LineState[] = []
    const asked: (number | null)[] = []
    const source: LiveSource = {
      roster: async () => ({ epoch: 281474976710655, ids: ['a', 'b', 'c'], plates: ['', '', ''], organisations: ['', '', ''] }),
      open: (_signal, seconds) => {
        asked.push(seconds)
        // Without an end nothing ever comes; a short answer comes whole.
        if (seconds === null) return new Promise(() => undefined)
        return Promise.resolve(new ReadableStream<Uint8Array>({ start: (give) => { give.enqueue(snapshot); give.close() } }))
      },
    }
    let frames = 0
    const stream = new LiveStream(source, { line: (state) => lines.push(state), roster: () => undefined, frame: () => (frames += 1) })
    const running = stream.run()
    await vi.advanceTimersByTimeAsync(2 * SILENT_MS + 1_500)
    expect(asked).toEqual([null, null, 1])
    expect(lines).toEqual(['connecting', 'lost', 'polling'])
    await vi.advanceTimersByTimeAsync(2 * POLL_MS + 100)
    expect(asked).toEqual([null, null, 1, 1, null])
    expect(frames).toBe(2)
    // Still kept back: twice as many short answers until the next look.
    await vi.advanceTimersByTimeAsync(2 * SILENT_MS + 4 * POLL_MS + 2_000)
    expect(asked).toEqual([null, null, 1, 1, null, null, 1, 1, 1, 1, null])
    stream.stop()
    await running
  })
})

describe('commands', () => {
  const command = (state: string, ended: string | null = null): Command => ({ state, ended_at: ended }) as Command
  it('are looked at again while something may happen to them', () => {
    expect(['proposed', 'queued', 'sent', 'delivered'].map((state) => isOpen(command(state)))).toEqual([true, true, true, true])
    expect(isOpen(command('delivered', '2026-03-02T08:00:00+08:00'))).toBe(false) // confirmed, and nothing more is to come
    expect(isOpen(command('failed', '2026-03-02T08:00:00+08:00'))).toBe(false)
  })
  it('have keys that nobody else has, as the server takes them', () => {
    const keys = new Set(Array.from({ length: 500 }, newKey))
    expect(keys.size).toBe(500)
    for (const key of keys) expect(key).toMatch(/^[A-Za-z0-9._:-]{1,64}$/)
  })
})
