// Looks again by itself while somebody is at the desk. A page that is left open asks nothing: each request would count as use, and the
// session of who has gone would never end.
import { onBeforeUnmount, onMounted } from 'vue'

const AT_DESK_MS = 3 * 60_000
let last = Date.now()
for (const kind of ['pointerdown', 'pointermove', 'wheel', 'keydown'] as const) {
  window.addEventListener(kind, () => (last = Date.now()), { passive: true, capture: true })
}

/** Pages that hang on a wall: somebody looks at them, though nobody touches anything. */
let walls = 0

/** Whether somebody has touched mouse or keys of late, and looks at this page. */
export function atDesk(now: number = Date.now()): boolean {
  return !document.hidden && (walls > 0 || now - last < AT_DESK_MS)
}

/** ``act`` every ``everyMs`` while somebody is there. */
export function useLookingAgain(everyMs: number, act: () => unknown): void {
  const timer = window.setInterval(() => {
    if (atDesk()) act()
  }, everyMs)
  onBeforeUnmount(() => window.clearInterval(timer))
}

/** While ``yes``, and this page is open, it counts as looked at: its session does not end. */
export function useOnWall(yes: () => boolean): void {
  let counted = false
  onMounted(() => {
    counted = yes()
    walls += counted ? 1 : 0
  })
  onBeforeUnmount(() => {
    walls -= counted ? 1 : 0
  })
}
