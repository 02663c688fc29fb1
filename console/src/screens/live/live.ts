// What the live map asks of the API.
import { api, ask } from '@/api/client'

import type { LiveSource } from './stream'

/** ``purpose``: what it is read for, where somebody has to say it. */
export function liveSource(purpose: () => string, waits: () => boolean): LiveSource {
  const header = (): Record<string, string> => (purpose() ? { 'x-purpose': encodeURIComponent(purpose()) } : {})
  return {
    roster: () => ask(api.GET('/v1/live/roster')),
    waits,
    open: async (signal, seconds) => {
      const body = await ask(api.GET('/v1/live/vehicles', { params: { query: { seconds: seconds ?? undefined }, header: header() }, parseAs: 'stream', signal }))
      return body as unknown as ReadableStream<Uint8Array>
    },
  }
}
