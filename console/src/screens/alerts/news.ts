// What happens to alerts, as it happens: the feed of the API, followed on behind the last entry that was read. Nothing is missed: after
// a break it goes on there; and nothing comes twice. How it is kept open: api/keptStream.ts.
import { api, ask } from '@/api/client'
import { EventCutter } from '@/api/events'
import { KeptStream, type Answer, type LineState } from '@/api/keptStream'
import type { ApiProblem } from '@/api/problem'
import type { paths } from '@/api/schema'

export type NewsLine = LineState

export interface News {
  id: string
  version: number
  plate: string
  rule: string
}

export interface NewsSource {
  /** ``last``: go on behind it. ``seconds``: end after so long. */
  open: (last: string, seconds: number | null, signal: AbortSignal) => Promise<ReadableStream<Uint8Array>>
  /** Whether it is a person that is waited for, who has to sign in again. */
  waits?: () => boolean
}

export interface NewsEvents {
  line: (state: NewsLine, problem: ApiProblem | null) => void
  /** Where following begins: what was read before may miss what came between. */
  begun: () => void
  news: (entries: News[]) => void
}

/** The server says where it stands at once; what says nothing for so long is kept back on the way. */
export const FIRST_MS = 6_000
/** The server says something each 15 s. */
export const SILENT_MS = 35_000
/** So long is one answer that a proxy hands on whole. */
export const POLL_S = 5
// A server that was slow once is asked again soon; a proxy that keeps the line back costs a look each five minutes.
const HABITS = { keptBackAfter: 1, pollMs: 0, tryAgainAfter: { first: 2, most: 60 } }
const REMEMBERED = 2_000

export class NewsStream extends KeptStream {
  private readonly seen = new Set<string>()

  /** ``last``: the place in the feed behind which it goes on; '' = from now on. */
  constructor(private readonly source: NewsSource, private readonly events: NewsEvents, private last = '') {
    super(HABITS, events.line, source.waits)
  }

  get place(): string {
    return this.last
  }

  protected override forgives(problem: ApiProblem): boolean {
    if (!this.last || (problem.status !== 400 && problem.status !== 422)) return false
    this.last = '' // of a database that was restored: begin anew
    return true
  }

  protected async read(answer: Answer): Promise<boolean> {
    answer.within(FIRST_MS + (answer.short ? POLL_S * 1000 : 0))
    const body = await answer.or(this.source.open(this.last, answer.short ? POLL_S : null, answer.signal))
    const reader = body.getReader()
    const cutter = new EventCutter()
    let reason = ''
    while (!this.stopped && !reason) {
      // oxlint-disable-next-line no-await-in-loop
      const { value, done } = await answer.or(reader.read())
      if (done) break
      answer.came()
      answer.within(SILENT_MS)
      reason = this.take(cutter.push(value))
    }
    // The server has let a short answer wait until its end.
    return reason === 'time_is_up'
  }

  /** Why the server has ended the stream; '': it has not. */
  private take(events: ReturnType<EventCutter['push']>): string {
    if (events.length === 0) return ''
    const before = this.last
    const found: News[] = []
    let ended = ''
    for (const one of events) {
      if (one.id) this.last = one.id
      if (one.event === 'end') ended = (JSON.parse(one.data) as { reason?: string }).reason ?? 'ended'
      if (one.event !== 'alert') continue
      const told = JSON.parse(one.data) as News
      const key = `${told.id} ${told.version}`
      if (this.seen.has(key)) continue
      this.seen.add(key)
      found.push({ id: told.id, version: told.version, plate: told.plate, rule: told.rule })
    }
    if (this.seen.size > REMEMBERED) for (const key of [...this.seen].slice(0, REMEMBERED / 2)) this.seen.delete(key)
    this.good()
    if (before === '' && this.last !== '') this.events.begun()
    if (found.length) this.events.news(found)
    return ended
  }
}

type Asked = NonNullable<paths['/v1/alerts/stream']['get']['parameters']['query']>

/** What the feed itself can be narrowed by; everything else the list asks for. */
export interface NewsFilters {
  organisation?: string | undefined
  rule?: string | undefined
  severity?: string | undefined
}

/** The feed of what the person sees. */
export function alertNews(filters: () => NewsFilters, waits: () => boolean): NewsSource {
  return {
    waits,
    open: async (last, seconds, signal) => {
      const { organisation, rule, severity } = filters()
      // The values of the address were looked at by useAddressFilters.
      const query: Asked = {
        seconds: seconds ?? undefined, organisation: organisation ? [organisation] : undefined, rule: rule ? [rule] as Asked['rule'] : undefined,
        severity: severity ? [severity] as Asked['severity'] : undefined,
      }
      const body = await ask(api.GET('/v1/alerts/stream', { params: { query, header: last ? { 'last-event-id': last } : {} }, parseAs: 'stream', signal }))
      return body as unknown as ReadableStream<Uint8Array>
    },
  }
}
