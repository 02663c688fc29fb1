// How long the server may take. Nothing waits for ever: what was not answered is said, with what to do.
import { ApiProblem } from './problem'

/** Reading: the slowest list of a large site takes less than a second. */
export const READ_MS = 30_000
/** Writing: also a whole month's papers, made at the time. */
export const WRITE_MS = 120_000
/** After so long without an answer the page says that it still waits. */
export const SLOW_MS = 8_000
/** A file: so long without a byte that has gone. */
export const STALLED_MS = 60_000
/** The answer to a file that is there: rows of an import are looked at meanwhile. */
export const WORKING_MS = 600_000

/** Answers that go on for ever: only their beginning is waited for. */
const STREAMS = new Set(['/v1/live/vehicles', '/v1/alerts/stream'])
/** Files that are made when they are asked for. */
const PAPERS = /\/(documents?|bundle|picture|reports)(\/|$)/

export function isStream(path: string): boolean {
  return STREAMS.has(path)
}

export function limitOf(method: string, path: string): number {
  return (method === 'GET' || method === 'HEAD') && !PAPERS.test(path) ? READ_MS : WRITE_MS
}

/** Nothing was answered in time. ``wrote``: whether something may have been written. */
export function timedOut(ms: number, wrote: boolean): ApiProblem {
  const seconds = Math.round(ms / 1000)
  const [zh, en] = wrote
    ? ['不能确定是否已经写入：请先刷新核对，再决定是否重新提交', 'it may have been written: refresh and look before you send it again']
    : ['请稍后重试；如反复出现，请告知运维人员', 'try again later; if it happens again, tell the operators']
  return new ApiProblem(0, 'timeout', '等待超时 · No answer in time', `服务器在 ${seconds} 秒内没有回应。${zh} · no answer within ${seconds} s; ${en}`)
}

/** Ends ``request`` when it stalls. ``late()`` says afterwards whether it did. */
export function watchStalling(request: XMLHttpRequest): { late: () => boolean; over: () => void } {
  let late = false
  let timer: ReturnType<typeof setTimeout> | undefined
  const wait = (ms: number): void => {
    clearTimeout(timer)
    timer = setTimeout(() => {
      late = true
      request.abort()
    }, ms)
  }
  request.upload.addEventListener('progress', () => wait(STALLED_MS))
  request.upload.addEventListener('load', () => wait(WORKING_MS))
  request.addEventListener('progress', () => wait(WORKING_MS))
  wait(STALLED_MS)
  return { late: () => late, over: () => clearTimeout(timer) }
}
