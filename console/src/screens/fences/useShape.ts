// A shape while somebody changes it. What a pointer does and would make it cross itself is refused, and said; what is typed stands as it
// is typed, and is said to be wrong until it is right.
import { computed, ref, shallowRef } from 'vue'

import { areaAt, flawOfShape, rounded, type Area, type Flaw, type Position, type Ring } from './polygon'

const MOST_UNDO = 100

export function useShape() {
  const areas = shallowRef<Area[]>([])
  /** The last ring of all is being drawn. */
  const open = ref(false)
  /** A hole is to be drawn: where its first point lies says in which area. */
  const holeAsked = ref(false)
  /** As it was before the drawing began. */
  const begun = shallowRef<Area[]>([])
  const refused = shallowRef<Flaw | null>(null)
  const past = shallowRef<{ areas: Area[]; open: boolean }[]>([])
  const flaw = computed(() => (areas.value.length === 0 ? null : flawOfShape(areas.value, open.value)))

  function keep(): void {
    const last = past.value[past.value.length - 1]
    if (last?.areas === areas.value && last.open === open.value) return
    past.value = [...past.value, { areas: areas.value, open: open.value }].slice(-MOST_UNDO)
  }
  function changed(no: number, change: (ring: Ring) => Ring): Area[] {
    let at = -1
    return areas.value.map((area) => area.map((ring) => (++at === no ? change(ring) : ring)))
  }
  const last = (): number => areas.value.reduce((sum, area) => sum + area.length, 0) - 1
  const exact = ([lon, lat]: Position): Position => [rounded(lon), rounded(lat)]
  /** Taken where it is good, or where it was wrong before and is no worse for it: else nobody could mend it. */
  function take(next: Area[], stillOpen = open.value, kept = false): boolean {
    const found = flawOfShape(next, stillOpen)
    if (found && (flaw.value === null || (found.kind === 'few' && flaw.value.kind !== 'few'))) {
      refused.value = found
      return false
    }
    if (!kept) keep()
    refused.value = null
    areas.value = next
    open.value = stillOpen
    return true
  }

  /** The area that has the hole comes last, so that the ring that is drawn is the last one; of areas the order says nothing. */
  function beginHole(at: Position): boolean {
    const no = areaAt(at, areas.value)
    const area = areas.value[no]
    if (!area) {
      refused.value = { kind: 'holeOutside', ring: last() + 1, a: 0, b: 0, count: 0 }
      return false
    }
    const others = areas.value.filter((_, k) => k !== no)
    const done = take([...others, [...area, [at]]], true)
    if (done) holeAsked.value = false
    return done
  }
  function begin(next: Area[]): void {
    keep()
    begun.value = areas.value
    areas.value = next
    open.value = true
    holeAsked.value = false
    refused.value = null
  }

  return {
    areas, open, refused, flaw, holeAsked,
    drawing: computed(() => open.value || holeAsked.value),
    canUndo: computed(() => past.value.length > 0),
    load(next: Area[]): void {
      areas.value = next
      open.value = false
      holeAsked.value = false
      refused.value = null
      past.value = []
    },
    /** A new shape takes the place of what is there. */
    draw: (): void => begin([[[]]]),
    /** A further area beside those that are there. */
    drawArea: (): void => begin([...areas.value, [[]]]),
    drawHole(): void {
      begun.value = areas.value
      holeAsked.value = true
      refused.value = null
    },
    /** Back to what was there before the drawing began. */
    giveUp(): void {
      if (open.value) keep()
      areas.value = begun.value
      open.value = false
      holeAsked.value = false
      refused.value = null
    },
    begin: keep,
    add: (at: Position): boolean => (holeAsked.value ? beginHole(exact(at)) : take(changed(last(), (ring) => [...ring, exact(at)]))),
    /** A hole, or an area with its holes. */
    removeRing(no: number): void {
      let at = -1
      keep()
      refused.value = null
      areas.value = areas.value.flatMap((area) => {
        const places = area.map(() => (at += 1))
        if (places[0] === no) return []
        return [area.filter((_, k) => places[k] !== no)]
      })
      open.value = false
    },
    close: (): boolean => open.value && take(areas.value, false),
    move: (no: number, point: number, to: Position): boolean => take(changed(no, (ring) => ring.map((one, k) => (k === point ? exact(to) : one))), open.value, true),
    insert: (no: number, after: number, at: Position): boolean => take(changed(no, (ring) => [...ring.slice(0, after + 1), exact(at), ...ring.slice(after + 1)])),
    remove: (no: number, point: number): boolean => take(changed(no, (ring) => ring.filter((_, k) => k !== point))),
    /** As it is typed: nothing is refused. */
    type(no: number, point: number, to: Position): void {
      keep()
      refused.value = null
      areas.value = changed(no, (ring) => ring.map((one, k) => (k === point ? to : one)))
    },
    /** A point at the end of a ring (−1: the last one), typed. */
    append(no: number, at: Position): void {
      if (holeAsked.value) {
        beginHole(at)
        return
      }
      keep()
      refused.value = null
      if (areas.value.length === 0) areas.value = [[[]]]
      areas.value = changed(no < 0 ? last() : no, (ring) => [...ring, at])
    },
    undo(): void {
      // A handle that was touched and not moved has left the present state there.
      const same = (one: { areas: Area[]; open: boolean }): boolean => one.areas === areas.value && one.open === open.value
      const steps = past.value.filter((one) => !same(one))
      const before = steps[steps.length - 1]
      if (!before) return
      past.value = steps.slice(0, -1)
      areas.value = before.areas
      open.value = before.open
      holeAsked.value = false
      refused.value = null
    },
  }
}
