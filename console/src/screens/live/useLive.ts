// The live map as a page needs it: the line, the roster, and a number that counts frames. What is known of 29,000 vehicles stays out of
// Vue's reach: a page reads it by index when the number changes.
import { computed, onBeforeUnmount, ref, shallowRef } from 'vue'

import type { ApiProblem } from '@/api/problem'
import { useConnection } from '@/stores/connection'
import { useSession } from '@/stores/session'

import { LiveTable } from './frames'
import { liveSource } from './live'
import { LiveStream, type LineState, type Roster } from './stream'

export interface Vehicle {
  id: string
  index: number
  plate: string
  unit: string
}

export function useLive(onFrame: (table: LiveTable) => void) {
  const connection = useConnection()
  const session = useSession()
  const line = ref<LineState>('connecting')
  const problem = shallowRef<ApiProblem | null>(null)
  const roster = shallowRef<Roster>({ epoch: -1, ids: [], plates: [], organisations: [] })
  const table = shallowRef(new LiveTable())
  const frames = ref(0)
  const stale = ref(false)
  const nowMs = ref(0)
  /** Seconds since the last frame; 0 while frames come. */
  const silentS = ref(0)
  let heardAt = 0
  let purpose = ''
  let stream: LiveStream | undefined

  /** Whether the frames speak of the vehicles that the roster names. */
  const agreed = computed(() => (frames.value, table.value.epoch === roster.value.epoch))
  const vehicles = computed<Vehicle[]>(() =>
    roster.value.ids
      .map((id, index) => ({ id, index, plate: roster.value.plates[index] ?? '', unit: roster.value.organisations[index] ?? '' }))
      .sort((a, b) => (a.plate < b.plate ? -1 : a.plate > b.plate ? 1 : 0)),
  )

  function start(why = purpose): void {
    stream?.stop()
    purpose = why
    stream = new LiveStream(liveSource(() => purpose, () => session.expired), {
      line: (state, told) => {
        line.value = state
        problem.value = told
      },
      roster: (named) => {
        roster.value = named
      },
      frame: (now) => {
        table.value = now
        stale.value = now.stale
        nowMs.value = now.nowMs
        heardAt = performance.now()
        silentS.value = 0
        frames.value++
        onFrame(now)
      },
    })
    void stream.run()
  }

  const ticking = window.setInterval(() => {
    if (heardAt && line.value !== 'live') silentS.value = Math.round((performance.now() - heardAt) / 1000)
  }, 1000)
  const forget = connection.onReturn(() => stream?.hurry())
  onBeforeUnmount(() => {
    window.clearInterval(ticking)
    forget()
    stream?.stop()
  })

  return { line, problem, roster, table, frames, stale, nowMs, silentS, agreed, vehicles, start }
}
