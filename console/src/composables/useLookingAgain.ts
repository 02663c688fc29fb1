// Looks again by itself while somebody is at the desk. A page that is left open asks nothing: each request would count as use, and the
// session of who has gone would never end.
import { onBeforeUnmount } from 'vue'

const AT_DESK_MS = 3 * 60_000
let last = Date.now()
for (const kind of ['pointerdown', 'pointermove', 'wheel', 'keydown'] as const) {
  window.addEventListener(kind, () => (last = Date.now()), { passive: true, capture: true })
}

/** Whether somebody has touched mouse or keys of late, and looks at this page. */
export function atDesk(now: number = Date.now()): boolean {
  return !document.hidden && now - last < AT_DESK_MS
}

/** ``act`` every ``everyMs`` while somebody is there. */
export function useLookingAgain(everyMs: number, act: () => unknown): void {
  const timer = window.setInterval(() => {
    if (atDesk()) act()
  }, everyMs)
  onBeforeUnmount(() => window.clearInterval(timer))
}
