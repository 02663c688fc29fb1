// Nothing waits for ever: a server that does not answer, or stops in the middle, is told.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { api, ask, hooks } from '@/api/client'
import { isStream, limitOf, READ_MS, SLOW_MS, WRITE_MS } from '@/api/limits'
import { ApiProblem } from '@/api/problem'

describe('limits', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => {
    vi.useRealTimers()
    vi.unstubAllGlobals()
  })
  const never = (request: Request): Promise<Response> =>
    new Promise((_, refuse) => request.signal.addEventListener('abort', () => refuse(new DOMException('aborted', 'AbortError'))))
  async function refused(work: Promise<unknown>, ms: number): Promise<ApiProblem> {
    const caught = work.then(() => null, (error: unknown) => error)
    await vi.advanceTimersByTimeAsync(ms)
    const found = await caught
    if (!(found instanceof ApiProblem)) throw new Error(`no problem: ${String(found)}`)
    return found
  }

  it('end a request that is never answered, and say what to do', async () => {
    vi.stubGlobal('fetch', never)
    const waiting: number[] = []
    let doubts = 0
    hooks.slow = (change) => waiting.push(change)
    hooks.doubted = () => (doubts += 1)
    const read = await refused(ask(api.GET('/v1/tasks')), READ_MS + 1)
    expect([read.code, read.status, doubts]).toEqual(['timeout', 0, 1])
    expect(read.detail).toContain('30 秒')
    expect(waiting).toEqual([1, -1])
    const wrote = await refused(ask(api.POST('/v1/messages:read', { body: { up_to: 1 } })), WRITE_MS + 1)
    expect(wrote.detail).toContain('不能确定是否已经写入')
  })
  it('end an answer that stops in the middle', async () => {
    vi.stubGlobal('fetch', async (request: Request) => new Response(new ReadableStream({
      start: (give) => {
        give.enqueue(new TextEncoder().encode('{"items":'))
        request.signal.addEventListener('abort', () => give.error(new DOMException('aborted', 'AbortError')))
      },
    })))
    expect((await refused(ask(api.GET('/v1/tasks')), READ_MS + 1)).code).toBe('timeout')
  })
  it('leave what the page itself gives up alone', async () => {
    vi.stubGlobal('fetch', never)
    const control = new AbortController()
    const caught = ask(api.GET('/v1/tasks', { signal: control.signal })).catch((error: unknown) => error)
    await vi.advanceTimersByTimeAsync(SLOW_MS / 2)
    control.abort()
    expect(await caught).toMatchObject({ name: 'AbortError' })
  })
  it('are longer for papers, and streams have none', () => {
    expect(limitOf('GET', '/v1/alerts')).toBe(READ_MS)
    expect(limitOf('GET', '/v1/cases/x/documents/order')).toBe(WRITE_MS)
    expect(limitOf('GET', '/v1/reports/monthly')).toBe(WRITE_MS)
    expect(limitOf('POST', '/v1/cases/x:reply')).toBe(WRITE_MS)
    expect([isStream('/v1/alerts/stream'), isStream('/v1/live/vehicles'), isStream('/v1/alerts')]).toEqual([true, true, false])
  })
})
