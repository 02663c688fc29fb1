// How a stream without an end is kept open, whatever it says: it is opened again after a break, later each time; it ends where the server
// refuses. Something between that hands on whole answers only is found out by its silence: short answers are asked for then, and the open
// line is tried again after a while. What is read, and where it goes on, is the business of who extends it.
import { asProblem, type ApiProblem } from './problem'

/** connecting: not yet; live; polling: something between keeps the line back, so it is asked again and again; lost: being opened again, what is
 * shown is of before; refused: see the problem. */
export type LineState = 'connecting' | 'live' | 'polling' | 'lost' | 'refused'

export interface Habits {
  /** So many times one after the other nothing at all has to come before short answers are asked for. */
  keptBackAfter: number
  /** Between two of them. */
  pollMs: number
  /** After so many of them the open line is tried again at first; each time in vain after twice as many, up to the most. */
  tryAgainAfter: { first: number; most: number }
}

/** One answer while it is read. */
export interface Answer {
  signal: AbortSignal
  /** Whether it is to be a short one. */
  short: boolean
  /** Something has to come within so long from now on. */
  within: (ms: number) => void
  /** Something has come. */
  came: () => void
  /** ``work``, or what ends the answer before it. */
  or: <T>(work: Promise<T>) => Promise<T>
}

const FIRST_WAIT_MS = 1_000
const MOST_WAIT_MS = 30_000

class KeptBack extends Error {}

const isRefusal = (problem: ApiProblem): boolean => problem.status >= 400 && problem.status < 500 && problem.status !== 408 && problem.status !== 429

export abstract class KeptStream {
  protected stopped = false
  private control: AbortController | undefined
  private wake: (() => void) | undefined
  private wait = FIRST_WAIT_MS
  private silences = 0
  /** Short answers that were asked for; 0: the line is open. */
  private polls = 0
  /** After how many of them the open line is tried again. */
  private patience = 0
  private state: LineState | undefined

  /** ``waits``: whether it is a person that is waited for, who has to sign in again. */
  constructor(private readonly habits: Habits, private readonly told: (state: LineState, problem: ApiProblem | null) => void, private readonly waits: () => boolean = () => false) {}

  /** Reads one answer to its end. Whether that was meant: a short one is whole. Throws what breaks it. */
  protected abstract read(answer: Answer): Promise<boolean>

  /** Whether it may begin anew after this refusal. */
  protected forgives(_problem: ApiProblem): boolean {
    return false
  }

  /** Runs until ``stop``, or until the server refuses. */
  async run(): Promise<void> {
    this.say('connecting')
    while (!this.stopped) {
      let problem: ApiProblem | null = null
      try {
        // One answer after the other.
        // oxlint-disable-next-line no-await-in-loop
        const meant = await this.once()
        if (this.polls && meant && !this.stopped) {
          if (this.polls > this.patience) this.polls = this.silences = 0
          // oxlint-disable-next-line no-await-in-loop
          if (this.habits.pollMs) await this.pause(this.habits.pollMs)
          continue
        }
      } catch (error) {
        if (this.stopped) return
        const keptBack = error instanceof KeptBack
        this.silences = keptBack ? this.silences + 1 : 0
        if (this.polls) this.polls = this.silences = 0
        else if (this.silences >= this.habits.keptBackAfter) {
          this.polls = 1
          this.patience = Math.min(this.habits.tryAgainAfter.most, this.patience * 2 || this.habits.tryAgainAfter.first)
          continue
        }
        problem = keptBack ? null : asProblem(error)
      }
      if (this.stopped) return
      if (problem && isRefusal(problem) && !this.forgives(problem)) {
        this.say('refused', problem)
        return
      }
      this.say('lost', problem)
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

  /** What comes makes sense: the line is there. */
  protected good(): void {
    this.wait = FIRST_WAIT_MS
    if (!this.polls) this.patience = 0
    this.say(this.polls ? 'polling' : 'live')
  }

  /** The next answer is asked for at once: it says why. */
  protected atOnce(): void {
    this.wait = 0
  }

  private say(state: LineState, problem: ApiProblem | null = null): void {
    if (state === this.state) return
    this.state = state
    this.told(state, problem)
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

  private async once(): Promise<boolean> {
    const control = new AbortController()
    this.control = control
    if (this.polls) this.polls += 1
    let timer: ReturnType<typeof setTimeout> | undefined
    let anything = false
    let giveUp: (why: Error) => void = () => undefined
    const end = new Promise<never>((_, refuse) => (giveUp = refuse))
    end.catch(() => undefined)
    control.signal.addEventListener('abort', () => giveUp(new Error('stopped')))
    const within = (ms: number): void => {
      clearTimeout(timer)
      timer = setTimeout(() => (this.waits() ? within(ms) : giveUp(anything ? new Error('silent') : new KeptBack('kept back'))), ms)
    }
    const came = (): void => {
      anything = true
      this.silences = 0
    }
    try {
      return await this.read({ signal: control.signal, short: this.polls > 0, within, came, or: (work) => Promise.race([work, end]) })
    } finally {
      clearTimeout(timer)
      control.abort()
    }
  }
}
