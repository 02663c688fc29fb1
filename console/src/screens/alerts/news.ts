// What happens to alerts, as it happens: the feed of the API, followed on behind the last entry that was read. Nothing is missed: after
// a break it goes on there; and nothing comes twice. Where a proxy keeps the line back, it is asked again and again instead.
import { api, ask } from '@/api/client'
import type { paths } from '@/api/schema'
import { EventCutter } from '@/api/events'
import { asProblem, type ApiProblem } from '@/api/problem'

/** connecting: not yet; live; polling: something between keeps the line back; lost: being opened again; refused: see the problem. */
export type NewsLine = 'connecting' | 'live' | 'polling' | 'lost' | 'refused'

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
/** After so many of them the open line is tried again. */
const TRY_AGAIN = 60
const FIRST_WAIT_MS = 1_000
const MOST_WAIT_MS = 30_000
const REMEMBERED = 2_000

class KeptBack extends Error {}

const isRefusal = (problem: ApiProblem): boolean => problem.status >= 400 && problem.status < 500 && problem.status !== 408 && problem.status !== 429

export class NewsStream {
  private stopped = false
  private control: AbortController | undefined
  private wake: (() => void) | undefined
  private wait = FIRST_WAIT_MS
  private polls = 0
  private state: NewsLine | undefined
  private readonly seen = new Set<string>()

  /** ``last``: the place in the feed behind which it goes on; '' = from now on. */
  constructor(private readonly source: NewsSource, private readonly events: NewsEvents, private last = '') {}

  get place(): string {
    return this.last
  }

  /** Runs until ``stop``, or until the server refuses. */
  async run(): Promise<void> {
    this.say('connecting')
    while (!this.stopped) {
      let problem: ApiProblem | null = null
      try {
        // One stream after the other.
        // oxlint-disable-next-line no-await-in-loop
        const reason = await this.once()
        if (this.polls && reason === 'time_is_up') continue // the server has let this answer wait
      } catch (error) {
        if (this.stopped) return
        if (error instanceof KeptBack && this.polls === 0) {
          this.polls = 1
          continue
        }
        this.polls = 0
        problem = error instanceof KeptBack ? null : asProblem(error)
      }
      if (this.stopped) return
      if (problem && isRefusal(problem)) {
        if (this.last && (problem.status === 400 || problem.status === 422)) {
          this.last = '' // of a database that was restored: begin anew
        } else {
          this.say('refused', problem)
          return
        }
      }
      this.say('lost', problem)
      const pause = Math.max(this.wait, (problem?.retryAfter ?? 0) * 1000)
      this.wait = Math.min(MOST_WAIT_MS, this.wait * 2)
      // oxlint-disable-next-line no-await-in-loop
      await this.pause(pause)
    }
  }

  stop(): void {
    this.stopped = true
    this.control?.abort()
    this.wake?.()
  }

  /** The connection is back: do not wait any longer. */
  hurry(): void {
    this.wait = FIRST_WAIT_MS
    this.wake?.()
  }

  private say(state: NewsLine, problem: ApiProblem | null = null): void {
    if (state === this.state) return
    this.state = state
    this.events.line(state, problem)
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  /** Why the server ended it; '' where it did not say. */
  private async once(): Promise<string> {
    const control = new AbortController()
    this.control = control
    const polling = this.polls > 0
    if (polling) this.polls += 1
    let timer: ReturnType<typeof setTimeout> | undefined
    let giveUp: (why: Error) => void = () => undefined
    const silence = new Promise<never>((_, refuse) => (giveUp = refuse))
    silence.catch(() => undefined)
    control.signal.addEventListener('abort', () => giveUp(new Error('stopped')))
    const heard = (ms: number, why: Error): void => {
      clearTimeout(timer)
      timer = setTimeout(() => (this.source.waits?.() ? heard(ms, why) : giveUp(why)), ms)
    }
    let reason = ''
    heard(FIRST_MS + (polling ? POLL_S * 1000 : 0), new KeptBack('kept back'))
    try {
      const body = await Promise.race([this.source.open(this.last, polling ? POLL_S : null, control.signal), silence])
      const reader = body.getReader()
      const cutter = new EventCutter()
      while (!this.stopped) {
        // oxlint-disable-next-line no-await-in-loop
        const { value, done } = await Promise.race([reader.read(), silence])
        if (done) break
        heard(SILENT_MS, new Error('silent'))
        reason = this.take(cutter.push(value))
        if (reason) break
      }
      if (this.polls > TRY_AGAIN) this.polls = 0
      return reason
    } finally {
      clearTimeout(timer)
      control.abort()
    }
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
    this.wait = FIRST_WAIT_MS
    this.say(this.polls ? 'polling' : 'live')
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
