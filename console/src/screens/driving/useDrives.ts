// The drives of this person, as the server has them or, without a network, as they were last known; and what waits to be sent.
import { useQuery, useQueryClient } from '@tanstack/vue-query'
import { computed, onBeforeUnmount, ref } from 'vue'

import { randomKey } from '@/api/once'
import { ApiProblem, asProblem } from '@/api/problem'
import { useLookingAgain } from '@/composables/useLookingAgain'
import { useConnection } from '@/stores/connection'
import { DRIVES_KEPT, useSession } from '@/stores/session'
import { readStored, store } from '@/stores/stored'
import { serverNow } from '@/text/now'

import { dispatchesOf, readDispatch, takeStep, type DispatchView } from '../trips/trips'
import { flush, keeper, type QueuedEntry } from './queue'

interface Kept {
  login: string
  at: number
  drives: DispatchView[]
}
const TRIES = 3

/** An entry is sent with the version of now: its author could see none. Throws ApiProblem. */
export async function sendEntry(entry: QueuedEntry): Promise<void> {
  for (let tried = 1; ; tried += 1) {
    // oxlint-disable-next-line no-await-in-loop
    const { version } = await readDispatch(entry.dispatch)
    try {
      // oxlint-disable-next-line no-await-in-loop
      await takeStep('dispatches', entry.dispatch, entry.step, { ...entry.body, entry: entry.entry, version })
      return
    } catch (error) {
      if (tried === TRIES || !(error instanceof ApiProblem) || error.code !== 'stale-version') throw error
    }
  }
}

export function useDrives() {
  const session = useSession()
  const queries = useQueryClient()
  const login = session.state?.login ?? ''
  const queued = ref<QueuedEntry[]>([])
  const sending = ref(false)
  /** The browser keeps nothing (a private window of some): entries are sent at once, or not at all. */
  const closed = ref(false)
  const kept = ref<Kept | null>(null)

  const query = useQuery({
    queryKey: ['driving', login],
    queryFn: async () => {
      const rows = await dispatchesOf({ mine: true, open: true })
      rows.sort((a, b) => a.planned_departure.localeCompare(b.planned_departure))
      const drives = await Promise.all(rows.slice(0, 20).map((row) => readDispatch(row.id)))
      kept.value = { login, at: serverNow(), drives }
      store(DRIVES_KEPT, kept.value)
      return drives
    },
    staleTime: 0,
  })
  const before = readStored<Kept | null>(DRIVES_KEPT, null)
  if (before?.login === login) kept.value = before
  const drives = computed<DispatchView[]>(() => query.data.value ?? kept.value?.drives ?? [])
  /** Milliseconds since 1970 of what is shown, where it could not be had anew. */
  const keptAt = computed(() => (query.error.value && asProblem(query.error.value).status === 0 ? (kept.value?.at ?? null) : null))

  async function look(): Promise<void> {
    try {
      queued.value = await keeper.all(login)
    } catch {
      closed.value = true
    }
  }

  let running: Promise<unknown> = Promise.resolve()
  /** What was refused now, by its entry. One time after the other: what came while the one before was under way goes with the next. */
  function sendAll(): Promise<Map<string, ApiProblem>> {
    const mine = running.then(sendOnce)
    running = mine.catch(() => undefined)
    return mine
  }
  async function sendOnce(): Promise<Map<string, ApiProblem>> {
    if (closed.value) return new Map()
    sending.value = true
    try {
      const had = (await keeper.all(login)).length
      const { left, refused } = await flush(keeper, login, sendEntry)
      if (left < had || refused.size) await queries.invalidateQueries({ queryKey: ['driving'] })
      return refused
    } finally {
      sending.value = false
      await look()
    }
  }

  /** Kept first, then sent: whatever happens in between, it is there. True: the server has it. Throws ApiProblem when the server refuses it: then it is
   * for the form, and not kept. */
  async function enter(view: DispatchView, step: 'depart' | 'return', body: Record<string, unknown>): Promise<boolean> {
    const made: QueuedEntry = {
      login, entry: randomKey(), dispatch: view.id, number: view.number ?? '', plate: view.plate ?? '', step,
      body: { ...body, at: body.at ?? new Date(serverNow()).toISOString() },
    }
    if (closed.value) {
      await sendEntry(made)
      await queries.invalidateQueries({ queryKey: ['driving'] })
      return true
    }
    await keeper.add(made)
    const problem = (await sendAll()).get(made.entry)
    const mine = (await keeper.all(login)).find((one) => one.entry === made.entry)
    if (problem && mine) {
      await discard(mine)
      throw problem
    }
    await look()
    return mine === undefined
  }

  async function discard(entry: QueuedEntry): Promise<void> {
    await keeper.remove(entry.no ?? 0)
    await look()
  }
  async function retry(entry: QueuedEntry): Promise<void> {
    const { refused: _, ...plain } = entry
    await keeper.put(plain)
    await sendAll()
  }

  async function sendWaiting(): Promise<void> {
    if (queued.value.some((one) => !one.refused)) await sendAll()
  }
  void look().then(sendWaiting)
  onBeforeUnmount(useConnection().onReturn(() => void sendWaiting()))
  useLookingAgain(20_000, () => Promise.all([query.refetch(), sendWaiting()]))

  return { query, drives, keptAt, queued, sending, closed, enter, discard, retry }
}
