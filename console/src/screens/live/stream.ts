// Keeps a stream of the live map open: roster, frames, and opening it again when the line is broken. Nothing is kept of before: a new
// stream begins with a snapshot. What is shown meanwhile is told to be old.
import { asProblem, type ApiProblem } from '@/api/problem'

import { BrokenStream, endReason, FrameCutter, inflated, KIND, LiveTable } from './frames'

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

/** connecting: nothing was there yet; live; polling: something between keeps the line back, so a picture comes each POLL_MS; lost: what is
 * shown is of before; refused: see ``problem``. */
export type LineState = 'connecting' | 'live' | 'polling' | 'lost' | 'refused'

export interface LiveEvents {
  line: (state: LineState, problem: ApiProblem | null) => void
  roster: (roster: Roster) => void
  /** After each frame. ``table`` is the same object; another one after the line was broken. */
  frame: (table: LiveTable) => void
}

export const SILENT_MS = 5_000
/** Twice nothing at all came, though the server sends a frame at once: a proxy hands on whole answers only, so they are kept short. */
const KEPT_BACK = 2
const SHORT_S = 1
export const POLL_MS = 10_000
/** After so many of them the open line is tried again. */
const TRY_AGAIN = 30
const FIRST_WAIT_MS = 1_000
const MOST_WAIT_MS = 30_000
/** Names are asked anew at most so often while they and the frames do not agree. */
const ROSTER_MS = 2_000

const isRefusal = (problem: ApiProblem): boolean => problem.status >= 400 && problem.status < 500 && problem.status !== 408 && problem.status !== 429

export class LiveStream {
  private stopped = false
  private control: AbortController | undefined
  private wake: (() => void) | undefined
  private wait = FIRST_WAIT_MS
  private keptBack = 0
  /** Whether a byte has come on the line of now. */
  private anything = false
  private polls = 0
  private rosterEpoch = -1
  private rosterAsked = -Infinity

  constructor(private readonly source: LiveSource, private readonly events: LiveEvents) {}

  /** Runs until ``stop``, or until the server refuses. */
  async run(): Promise<void> {
    this.events.line('connecting', null)
    while (!this.stopped) {
      let problem: ApiProblem | null = null
      try {
        // One stream after the other.
        // oxlint-disable-next-line no-await-in-loop
        await this.once()
        if (this.polls && !this.stopped) {
          // oxlint-disable-next-line no-await-in-loop
          await this.pause(POLL_MS)
          continue
        }
      } catch (error) {
        problem = asProblem(error)
        if (this.polls) this.polls = this.keptBack = 0
        else if (this.keptBack >= KEPT_BACK) {
          this.polls = 1
          continue
        }
      }
      if (this.stopped) return
      if (problem && isRefusal(problem)) {
        this.events.line('refused', problem)
        return
      }
      this.events.line('lost', problem)
      const pause = Math.max(this.wait, (problem?.retryAfter ?? 0) * 1000)
      this.wait = Math.max(FIRST_WAIT_MS, Math.min(MOST_WAIT_MS, this.wait * 2))
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

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  private async once(): Promise<void> {
    const control = new AbortController()
    this.control = control
    let timer: ReturnType<typeof setTimeout> | undefined
    const silence = new Promise<never>((_, refuse) => {
      const look = (): void => {
        clearTimeout(timer)
        timer = setTimeout(() => (this.source.waits?.() ? look() : refuse(new BrokenStream('silent'))), SILENT_MS)
      }
      this.heard = look
    })
    silence.catch(() => undefined)
    try {
      await this.names(true)
      this.heard()
      this.anything = false
      if (this.polls) this.polls += 1
      const body = await Promise.race([this.source.open(control.signal, this.polls ? SHORT_S : null), silence])
      await this.follow(body.getReader(), silence)
      if (this.polls > TRY_AGAIN) this.polls = this.keptBack = 0
    } catch (error) {
      this.keptBack = error instanceof BrokenStream && !this.anything ? this.keptBack + 1 : 0
      throw error
    } finally {
      clearTimeout(timer)
      control.abort()
    }
  }

  private heard: () => void = () => undefined

  private async follow(reader: ReadableStreamDefaultReader<Uint8Array>, silence: Promise<never>): Promise<void> {
    const cutter = new FrameCutter()
    const table = new LiveTable()
    while (!this.stopped) {
      // oxlint-disable-next-line no-await-in-loop
      const { value, done } = await Promise.race([reader.read(), silence])
      if (done) return
      this.anything = true
      this.keptBack = 0
      for (const frame of cutter.push(value)) {
        if (frame.kind === KIND.end) {
          if (endReason(frame) === 'no_longer_allowed') this.wait = 0
          return
        }
        // Frames are taken in their order.
        // oxlint-disable-next-line no-await-in-loop
        table.take(await inflated(frame))
        this.heard()
        this.wait = FIRST_WAIT_MS
        if (frame.kind === KIND.snapshot) this.events.line(this.polls ? 'polling' : 'live', null)
        if (table.epoch !== this.rosterEpoch) void this.names(false).catch(() => undefined)
        this.events.frame(table)
      }
    }
  }

  private async names(must: boolean): Promise<void> {
    const now = Date.now()
    if (!must && now - this.rosterAsked < ROSTER_MS) return
    this.rosterAsked = now
    const roster = await this.source.roster()
    if (this.stopped) return
    if (roster.epoch === this.rosterEpoch) return
    this.rosterEpoch = roster.epoch
    this.events.roster(roster)
  }
}
