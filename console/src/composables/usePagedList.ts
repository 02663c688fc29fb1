// A list that the server gives page by page with a cursor, under filters that live in the address.
import { useInfiniteQuery, useQueryClient, type InfiniteData, type QueryClient } from '@tanstack/vue-query'
import { computed, type Ref } from 'vue'

import { asProblem } from '@/api/problem'

export interface Page<T> {
  items: T[]
  next?: string | null
}

export const PAGE = 200
/** So many pages are fetched anew; the ones after them come again when they are scrolled to. */
const ANEW = 3

/** Before lists are fetched anew: keep the first pages only, or a list of 100,000 rows would be fetched in 500 requests. */
export function keepFirstPages(queries: QueryClient, queryKey: readonly unknown[] = []): void {
  queries.setQueriesData<unknown>({ queryKey }, (data: unknown) => {
    const list = data as Partial<InfiniteData<unknown>> | undefined
    if (!Array.isArray(list?.pages) || !Array.isArray(list.pageParams) || list.pages.length <= ANEW) return data
    return { pages: list.pages.slice(0, ANEW), pageParams: list.pageParams.slice(0, ANEW) }
  })
}

/** What a list is, as a component takes it. */
export type PagedList<T> = ReturnType<typeof usePagedList<T, object>>

/**
 * ``fetchPage(filters, cursor, limit)`` asks for one page. Rows that come twice (something was put in between two pages) are shown
 * once, by ``idOf``.
 */
export function usePagedList<T, F extends object>(
  name: string,
  filters: Ref<F>,
  fetchPage: (filters: F, cursor: string | undefined, limit: number) => Promise<Page<T>>,
  idOf: (row: T) => string,
) {
  const queries = useQueryClient()
  const query = useInfiniteQuery({
    queryKey: computed((): readonly unknown[] => [name, filters.value]),
    queryFn: ({ pageParam }) => fetchPage(filters.value, pageParam, PAGE),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last: Page<T>) => last.next ?? undefined,
  })
  const rows = computed<T[]>(() => {
    const seen = new Set<string>()
    return (query.data.value?.pages ?? []).flatMap((page) =>
      page.items.filter((row) => {
        const id = idOf(row)
        return !seen.has(id) && seen.add(id)
      }),
    )
  })
  return {
    rows,
    loading: query.isPending,
    /** It is known that there is no row. */
    empty: computed(() => rows.value.length === 0 && !query.isPending.value && query.error.value === null),
    refreshing: computed(() => query.isFetching.value && !query.isPending.value),
    problem: computed(() => (query.error.value === null ? null : asProblem(query.error.value))),
    hasMore: computed(() => query.hasNextPage.value),
    fetchedAt: query.dataUpdatedAt,
    more: (): void => {
      if (query.hasNextPage.value && !query.isFetching.value) void query.fetchNextPage()
    },
    refresh: (): void => {
      keepFirstPages(queries, [name])
      void query.refetch()
    },
  }
}
