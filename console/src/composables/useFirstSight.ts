// The first list that a page shows: its rows come before its filters and units, which take longer to make than everything else.
import { inject, onScopeDispose, provide, ref, watch, type InjectionKey, type Ref } from 'vue'

const WHOLE: InjectionKey<Readonly<Ref<boolean>>> = Symbol('whole')
/** Where there are no rows yet (the server is slow, or refuses) the rest does not wait longer. */
const LONGEST_MS = 400
let seen = false

/** For what is around a list: false until its rows have been drawn. Only once after the page was loaded; later everything comes together. */
export function useFirstSight(loading: () => boolean): Readonly<Ref<boolean>> {
  const whole = ref(seen)
  provide(WHOLE, whole)
  if (seen) return whole
  const end = (): void => {
    seen = true
    whole.value = true
  }
  const late = setTimeout(end, LONGEST_MS)
  onScopeDispose(() => clearTimeout(late))
  watch(loading, (waits) => {
    // After the next picture: a frame begins before it is drawn.
    if (!waits) requestAnimationFrame(() => setTimeout(end))
  }, { immediate: true, flush: 'post' })
  return whole
}

/** For what is within it, at whatever depth; true outside of lists. */
export function useWhole(): Readonly<Ref<boolean>> {
  return inject(WHOLE, ref(true))
}
