// A file sent as the body of a request, with its progress: fetch does not tell how far it is, so this is an XMLHttpRequest.
import { hooks } from './client'
import { STALLED_MS, timedOut, watchStalling } from './limits'
import { problemOf, unreached, type ApiProblem } from './problem'

export interface Progress {
  /** Bytes of the file that have left; then the server works. */
  sent: number
  whole: number
  /** Lines that the server wrote up to now (Accept: application/x-ndjson). */
  lines: Record<string, unknown>[]
}

interface Answer {
  status: number
  text: string
  retryAfter: string | null
}

const LINES = 'application/x-ndjson'

function objectOf(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? { ...value } : null
  } catch {
    return null
  }
}

/** What stands in whole lines of ``text``. The last piece may still be on its way. */
export function wholeLines(text: string, ended = false): Record<string, unknown>[] {
  const pieces = text.split('\n')
  if (!ended) pieces.pop()
  return pieces.map(objectOf).filter((one) => one !== null)
}

function sendOnce(address: string, file: Blob, type: string, lines: boolean, tell: (progress: Progress) => void, signal: AbortSignal): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    let sent = 0
    const now = (): void => tell({ sent, whole: file.size, lines: lines && request.status === 200 ? wholeLines(request.responseText) : [] })
    request.open('POST', address)
    request.setRequestHeader('Content-Type', type)
    request.setRequestHeader('Accept', lines ? LINES : 'application/json')
    request.setRequestHeader('X-CSRF-Token', hooks.csrf())
    request.upload.addEventListener('progress', (event) => {
      sent = event.loaded
      now()
    })
    request.upload.addEventListener('load', () => {
      sent = file.size
      now()
    })
    request.addEventListener('progress', now)
    request.addEventListener('load', () => {
      hooks.reached(true)
      resolve({ status: request.status, text: request.responseText, retryAfter: request.getResponseHeader('Retry-After') })
    })
    request.addEventListener('error', () => {
      hooks.reached(false)
      reject(unreached())
    })
    const watch = watchStalling(request)
    request.addEventListener('loadend', watch.over)
    request.addEventListener('abort', () => {
      if (watch.late()) hooks.doubted()
      reject(watch.late() ? timedOut(STALLED_MS, true) : new DOMException('aborted', 'AbortError'))
    })
    signal.addEventListener('abort', () => request.abort())
    request.send(file)
  })
}

function refusal(status: number, retryAfter: string | null, body: unknown): ApiProblem {
  const headers = new Headers(retryAfter === null ? {} : { 'Retry-After': retryAfter })
  return problemOf(new Response(null, { status: status >= 200 ? status : 500, headers }), body)
}

/** Send ``file``; the object that is answered. Throws ApiProblem, also one that comes as the last line of an answer in lines. */
export async function upload(
  address: string, file: Blob, type: string, tell: (progress: Progress) => void, signal: AbortSignal, lines = false,
): Promise<Record<string, unknown>> {
  let answer = await sendOnce(address, file, type, lines, tell, signal)
  if (answer.status === 401 && (await hooks.signedInAgain())) answer = await sendOnce(address, file, type, lines, tell, signal)
  if (answer.status === 403 && String(objectOf(answer.text)?.type).endsWith(':csrf') && (await hooks.tokenOfNow())) {
    answer = await sendOnce(address, file, type, lines, tell, signal)
  }
  if (answer.status !== 200) throw refusal(answer.status, answer.retryAfter, objectOf(answer.text))
  const last = lines ? wholeLines(answer.text, true).pop() : objectOf(answer.text)
  if (!last) throw refusal(502, null, null)
  if (typeof last.problem === 'object' && last.problem !== null) {
    const status: unknown = (last.problem as { status?: unknown }).status
    throw refusal(typeof status === 'number' ? status : 500, null, last.problem)
  }
  return last
}
