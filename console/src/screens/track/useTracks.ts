// What is asked of each vehicle of a replay. One whose track may not be read says so, and the others are there all the same.
import { useQueries } from '@tanstack/vue-query'
import { computed } from 'vue'

import { api, ask } from '@/api/client'
import { asProblem, type ApiProblem } from '@/api/problem'
import { useSession } from '@/stores/session'
import { shownPlate } from '@/text/plates'

import { readingOf, type Reading } from './axis'
import type { Choice } from './choice'
import { fetchAlerts, fetchOrders, fetchTrack, type Stretch } from './track'
import type { Track } from './trackData'

export interface Played {
  id: string
  /** Its place: its colour and its sign. */
  slot: number
  plate: string | undefined
  /** The plate as it is shown, or the id. */
  name: string
  track: Track | undefined
  reading: Reading | undefined
  problem: ApiProblem | null
  fetching: boolean
  orders: Stretch[]
  alerts: Stretch[]
  ordersFailed: boolean
  alertsFailed: boolean
}

export function useTracks(choice: () => Choice, day: () => string, purpose: () => string) {
  const session = useSession()
  const placed = computed(() => choice().slots.map((id, slot) => ({ id, slot })).filter((one) => one.id !== ''))
  const each = <T>(kind: string, from: (id: string) => Promise<T>, more: readonly unknown[], enabled = true) =>
    placed.value.map(({ id }) => ({ queryKey: [kind, id, ...more], queryFn: () => from(id), enabled }))

  const vehicles = useQueries({
    queries: computed(() => each('vehicle', (id) => ask(api.GET('/v1/vehicles/{id}', { params: { path: { id } } })), [], session.can('registry:read'))),
  })
  const tracks = useQueries({
    queries: computed(() => each('track', (id) => fetchTrack(id, day(), purpose()), [day(), purpose()]).map((one) => ({
      ...one,
      // Each reading of a track is noted in the audit: it is read when somebody wants it, and not by itself.
      staleTime: Infinity, refetchOnReconnect: false, structuralSharing: false,
    }))),
  })
  const orders = useQueries({ queries: computed(() => each('track-orders', (id) => fetchOrders(id, day()), [day()], session.can('registry:read'))) })
  const alerts = useQueries({ queries: computed(() => each('track-alerts', (id) => fetchAlerts(id, day()), [day()], session.can('alerts:read'))) })

  const played = computed<Played[]>(() =>
    placed.value.map(({ id, slot }, k) => {
      const track = tracks.value[k]?.data
      const error = tracks.value[k]?.error
      const plate = vehicles.value[k]?.data?.plate
      return {
        id, slot, plate, name: plate ? shownPlate(plate) : id, track, reading: track ? readingOf(track) : undefined, problem: error ? asProblem(error) : null,
        fetching: tracks.value[k]?.isFetching ?? false, orders: orders.value[k]?.data ?? [], alerts: alerts.value[k]?.data ?? [],
        ordersFailed: orders.value[k]?.isError ?? false, alertsFailed: alerts.value[k]?.isError ?? false,
      }
    }),
  )
  /** Read all of them again, or the one that was refused. */
  function again(id?: string): void {
    placed.value.forEach((one, k) => {
      if (id === undefined || id === one.id) void tracks.value[k]?.refetch()
    })
  }
  return { played, again }
}
