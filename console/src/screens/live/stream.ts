// A stream of the live map: roster and frames. How it is kept open: api/keptStream.ts. Nothing is kept of before: a new stream begins with a
// snapshot. What is shown meanwhile is told to be old.
import { KeptStream, type Answer, type LineState } from '@/api/keptStream'
import type { ApiProblem } from '@/api/problem'

import { endReason, FrameCutter, inflated, KIND, LiveTable } from './frames'

export type { LineState }

export interface Roster {
  epoch: number
  ids: string[]
  plates: string[]
  organisations: string[]
}

export interface LiveSource {
  roster: () => Promise<Roster>
  /** ``seconds``: end after so long; null: never. */
  open: (signal: AbortSignal, seconds: number | null) => Promise<ReadableStream<Uint8Array>>
  /** Whether it is a person that is waited for, who has to sign in again. */
  waits?: () => boolean
}

export interface LiveEvents {
  line: (state: LineState, problem: ApiProblem | null) => void
  roster: (roster: Roster) => void
  /** After each frame. ``table`` is the same object; another one after the line was broken. */
  frame: (table: LiveTable) => void
}

export const SILENT_MS = 5_000
const SHORT_S = 1
export const POLL_MS = 10_000
/** The server sends a frame at once: twice nothing is no accident. */
const HABITS = { keptBackAfter: 2, pollMs: POLL_MS, tryAgainAfter: { first: 2, most: 30 } }
/** Names are asked anew at most so often while they and the frames do not agree. */
const ROSTER_MS = 2_000

export class LiveStream extends KeptStream {
  private rosterEpoch = -1
  private rosterAsked = -Infinity

  constructor(private readonly source: LiveSource, private readonly events: LiveEvents) {
    super(HABITS, events.line, source.waits)
  }

  protected async read(answer: Answer): Promise<boolean> {
    await answer.or(this.names(true))
    answer.within(SILENT_MS)
    const body = await answer.or(this.source.open(answer.signal, answer.short ? SHORT_S : null))
    const reader = body.getReader()
    const cutter = new FrameCutter()
    const table = new LiveTable()
    while (!this.stopped) {
      // oxlint-disable-next-line no-await-in-loop
      const { value, done } = await answer.or(reader.read())
      if (done) break
      answer.came()
      for (const frame of cutter.push(value)) {
        if (frame.kind === KIND.end) {
          if (endReason(frame) === 'no_longer_allowed') this.atOnce()
          return true
        }
        // Frames are taken in their order.
        // oxlint-disable-next-line no-await-in-loop
        table.take(await inflated(frame))
        answer.within(SILENT_MS)
        this.good()
        if (table.epoch !== this.rosterEpoch) void this.names(false).catch(() => undefined)
        this.events.frame(table)
      }
    }
    return true
  }

  private async names(must: boolean): Promise<void> {
    const now = performance.now()
    if (!must && now - this.rosterAsked < ROSTER_MS) return
    this.rosterAsked = now
    const roster = await this.source.roster()
    if (this.stopped) return
    if (roster.epoch === this.rosterEpoch) return
    this.rosterEpoch = roster.epoch
    this.events.roster(roster)
  }
}
