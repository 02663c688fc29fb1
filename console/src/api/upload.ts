// A file sent with its progress: fetch does not tell how far it has come, so this is the second way to the server.
import { hooks, type Schemas } from './client'
import { STALLED_MS, timedOut, watchStalling } from './limits'
import { ApiProblem, problemOf, unreached } from './problem'

function sendOnce<T>(path: string, file: File, type: string, progress: (part: number) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    request.open('POST', path)
    request.responseType = 'text'
    request.setRequestHeader('Content-Type', type)
    request.setRequestHeader('X-CSRF-Token', hooks.csrf())
    request.upload.addEventListener('progress', (event) => event.lengthComputable && progress(event.loaded / event.total))
    const watch = watchStalling(request)
    request.addEventListener('loadend', watch.over)
    request.addEventListener('abort', () => {
      hooks.doubted()
      reject(timedOut(STALLED_MS, true))
    })
    request.addEventListener('error', () => {
      hooks.reached(false)
      reject(unreached())
    })
    request.addEventListener('load', () => {
      hooks.reached(true)
      let told: unknown = null
      try {
        told = JSON.parse(request.responseText)
      } catch {
        // No JSON: something between here and the server has answered; the status says what.
      }
      if (request.status >= 200 && request.status < 300) resolve(told as T)
      else {
        const waiting = request.getResponseHeader('Retry-After')
        reject(problemOf(new Response(null, { status: request.status, headers: waiting ? { 'Retry-After': waiting } : {} }), told))
      }
    })
    request.send(file)
  })
}

/** Send a file; ``progress`` is told the part that has gone, 0 to 1. Signs in again where the session has ended. Throws ApiProblem. */
export async function sendFile<T>(path: string, file: File, type: string, progress: (part: number) => void): Promise<T> {
  try {
    return await sendOnce<T>(path, file, type, progress)
  } catch (error) {
    if (!(error instanceof ApiProblem)) throw error
    const again = (error.status === 401 && (await hooks.signedInAgain())) || (error.code === 'csrf' && (await hooks.tokenOfNow()))
    if (!again) throw error
    return sendOnce<T>(path, file, type, progress)
  }
}

/** Attach a file at ``path``, with ``more`` in its query; its type the server finds by its content. */
export function attachAt<T>(path: string, file: File, progress: (part: number) => void, more: Record<string, string> = {}): Promise<T> {
  return sendFile<T>(`${path}?${new URLSearchParams({ name: file.name, ...more }).toString().replace(/\+/g, '%20')}`, file, 'application/octet-stream', progress)
}

/** Attach a file to a case. */
export const attachFile = (id: string, file: File, progress: (part: number) => void): Promise<Schemas['CaseAttachmentWritten']> =>
  attachAt(`/v1/cases/${encodeURIComponent(id)}/attachments`, file, progress)
