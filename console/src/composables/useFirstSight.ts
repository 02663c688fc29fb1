// The first list that a page shows: its rows come before its filters, its units and the menu of the frame, which take longer to make than
// everything else.
import { inject, onMounted, onUnmounted, provide, readonly, ref, watch, type InjectionKey, type Ref } from 'vue'

const WHOLE: InjectionKey<Readonly<Ref<boolean>>> = Symbol('whole')
/** Where there are no rows yet (the server is slow, or refuses) the rest does not wait longer. */
const LONGEST_MS = 400
/** Frame, filters and units are made first. */
const AHEAD_MS = 300
const whole = ref(false)
let lists = 0
const end = (): void => {
  whole.value = true
}

/** For a list: false until its rows have been drawn. Only once after the page was loaded; later everything comes together. */
export function useFirstSight(loading: () => boolean): Readonly<Ref<boolean>> {
  provide(WHOLE, whole)
  if (whole.value) return readonly(whole)
  lists += 1
  // Whatever becomes of this list: the frame waits too.
  setTimeout(end, LONGEST_MS)
  watch(loading, (waits) => {
    // The frame after the one that draws them.
    if (!waits) requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(end)))
  }, { immediate: true, flush: 'post' })
  return readonly(whole)
}

/** For what is within a list, at whatever depth; true elsewhere. */
export function useWhole(): Readonly<Ref<boolean>> {
  return inject(WHOLE, ref(true))
}

/** For the frame: as for a list, where the first page is one. */
export function useFrameWhole(): Readonly<Ref<boolean>> {
  onMounted(() => {
    if (lists === 0) end()
  })
  return readonly(whole)
}

/** For what will be wanted next: fetched when all there is to see is there and the page has nothing to do, unless its person saves data. */
export function useAhead(fetch: () => void): void {
  if ((navigator as { connection?: { saveData?: boolean } }).connection?.saveData) return
  const idle = window.requestIdleCallback ?? ((act: () => void) => window.setTimeout(act, 500))
  let gone = false
  onUnmounted(() => (gone = true))
  watch(whole, (now) => {
    if (now) setTimeout(() => idle(() => gone || fetch()), AHEAD_MS)
  }, { immediate: true })
}
