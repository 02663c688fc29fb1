// A clock that runs through a stretch of time, faster than the real one.
import { onBeforeUnmount, ref } from 'vue'

export const RATES = [1, 2, 5, 10, 30, 60] as const

export interface Clock {
  /** ms since 1970 UTC */
  moment: number
  playing: boolean
}

/** A picture that took longer (or a page that was behind another) makes the clock wait: it does not leap over what nobody saw. */
export const LONGEST_MS = 500

/** The clock after ``elapsed`` ms of ours; it stops at the end. */
export function advanced(moment: number, elapsed: number, rate: number, end: number): Clock {
  const next = moment + Math.max(0, Math.min(LONGEST_MS, elapsed)) * rate
  return next >= end ? { moment: end, playing: false } : { moment: next, playing: true }
}

/** ``range``: [begin, end] in ms. */
export function usePlayback(range: () => [number, number]) {
  const moment = ref(0)
  const playing = ref(false)
  const rate = ref<(typeof RATES)[number]>(10)
  /** The moment of the picture before, while it is played; else that of now. */
  let shown = 0
  let frame = 0
  let before = 0

  function tick(now: number): void {
    const clock = advanced(moment.value, now - before, rate.value, range()[1])
    before = now
    shown = moment.value
    moment.value = clock.moment
    playing.value = clock.playing
    frame = clock.playing ? requestAnimationFrame(tick) : 0
  }
  function play(): void {
    const [begin, end] = range()
    if (playing.value || end <= begin) return
    if (moment.value >= end || moment.value < begin) goTo(begin)
    playing.value = true
    before = performance.now()
    frame = requestAnimationFrame(tick)
  }
  function pause(): void {
    playing.value = false
    cancelAnimationFrame(frame)
  }
  function goTo(to: number): void {
    const [begin, end] = range()
    shown = moment.value = Math.max(begin, Math.min(end, to))
  }
  onBeforeUnmount(pause)
  return { moment, playing, rate, play, pause, goTo, before: () => (playing.value ? shown : moment.value) }
}
