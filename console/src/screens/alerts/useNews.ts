// The list of alerts while it is looked at: what comes is shown at once where nobody is disturbed by it, else it is told.
import { onActivated, onBeforeUnmount, onDeactivated, onMounted, ref, shallowRef, watch } from 'vue'

import type { ApiProblem } from '@/api/problem'
import { useConnection } from '@/stores/connection'
import { useSession } from '@/stores/session'

import { alertNews, NewsStream, type News, type NewsFilters, type NewsLine } from './news'

/** Lists are fetched anew at most so often: a thousand alerts in a second are one. */
const LEAST_MS = 1_000
/** So many rows are marked as new; a flood of them is none that somebody would look for. */
const MARKED = 1_000

export interface NewsNeeds {
  filters: () => NewsFilters
  /** Whether rows may come in now: nobody reads further down, none is marked. */
  free: () => boolean
  /** Fetch the list anew. */
  refresh: () => Promise<unknown> | void
}

export function useNews({ filters, free, refresh }: NewsNeeds) {
  const connection = useConnection()
  const session = useSession()
  const line = ref<NewsLine>('connecting')
  const problem = shallowRef<ApiProblem | null>(null)
  /** What has come and is not shown yet. */
  const waiting = ref(0)
  /** What has come since the list was opened. */
  const fresh = shallowRef<ReadonlySet<string>>(new Set())
  /** For screen readers, and beside the list: what came last. */
  const came = shallowRef<News[]>([])
  let stream: NewsStream | undefined
  /** Up to where the feed was read, also while nobody looks. */
  let place = ''
  let timer = 0
  /** Of what is about to be shown. */
  let coming = 0
  let fetchedAt = -Infinity

  function show(): void {
    window.clearTimeout(timer)
    timer = 0
    coming = waiting.value = 0
    fetchedAt = performance.now()
    void refresh()
  }
  function soon(): void {
    if (timer) return
    const left = LEAST_MS - (performance.now() - fetchedAt)
    if (left <= 0) show()
    else timer = window.setTimeout(later, left)
  }
  function later(): void {
    timer = 0
    if (free()) show()
    else {
      waiting.value += coming
      coming = 0
    }
  }
  function start(): void {
    stop()
    const source = alertNews(filters, () => session.expired)
    stream = new NewsStream(source, {
      line: (state, told) => {
        line.value = state
        problem.value = told
      },
      begun: soon,
      news: (entries) => {
        came.value = entries
        fresh.value = new Set([...fresh.value, ...entries.map((one) => one.id)].slice(-MARKED))
        if (free()) {
          coming += entries.length
          soon()
        } else waiting.value += entries.length
      },
    }, place)
    void stream.run()
  }
  function stop(): void {
    if (stream) place = stream.place
    stream?.stop()
    stream = undefined
    window.clearTimeout(timer)
    timer = 0
  }
  // A browser has six connections to a server: a page that is not seen holds none. The list behind a detail is kept, without its line.
  let here = false
  function look(): void {
    if (here && !document.hidden) {
      if (!stream) start()
    } else stop()
  }
  const enter = (): void => {
    here = true
    look()
  }
  const leave = (): void => {
    here = false
    look()
  }
  onMounted(() => {
    document.addEventListener('visibilitychange', look)
    enter()
  })
  onActivated(enter)
  onDeactivated(leave)
  onBeforeUnmount(() => {
    document.removeEventListener('visibilitychange', look)
    leave()
    forget()
  })
  const forget = connection.onReturn(() => stream?.hurry())
  watch(() => JSON.stringify(filters()), () => {
    coming = waiting.value = 0
    if (stream) start()
  })

  return { line, problem, waiting, fresh, came, show, start }
}
