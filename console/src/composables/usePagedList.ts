// A list that the server gives page by page with a cursor, under filters that live in the address.
import { useInfiniteQuery } from '@tanstack/vue-query'
import { computed, type Ref } from 'vue'

import { asProblem } from '@/api/problem'

export interface Page<T> {
  items: T[]
  next?: string | null
}

export const PAGE = 200

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
    refreshing: computed(() => query.isFetching.value && !query.isPending.value),
    problem: computed(() => (query.error.value === null ? null : asProblem(query.error.value))),
    hasMore: computed(() => query.hasNextPage.value),
    fetchedAt: query.dataUpdatedAt,
    more: (): void => {
      if (query.hasNextPage.value && !query.isFetching.value) void query.fetchNextPage()
    },
    refresh: (): void => void query.refetch(),
  }
}
