// The units that the person sees, with their names, as a tree. Who may neither read the registry nor give roles sees ids.
import { useQuery } from '@tanstack/vue-query'
import { computed } from 'vue'

import { api, ask } from '@/api/client'
import { useSession } from '@/stores/session'

export interface Unit {
  id: string
  name: string
  parent: string | null
}

export interface UnitNode extends Unit {
  children: UnitNode[]
}

const PAGE = 1000

async function fetchUnits(): Promise<Unit[]> {
  const found: Unit[] = []
  let cursor: string | undefined
  do {
    // Each page needs the cursor of the one before.
    // oxlint-disable-next-line no-await-in-loop
    const page = await ask(api.GET('/v1/organisations', { params: { query: { limit: PAGE, cursor } } }))
    for (const one of page.items) found.push({ id: one.id, name: one.name, parent: one.parent ?? null })
    cursor = page.next ?? undefined
  } while (cursor !== undefined)
  return found
}

/** The units as a tree; one whose parent is not seen stands at the top. */
export function treeOf(units: Unit[]): UnitNode[] {
  const nodes = new Map(units.map((unit) => [unit.id, { ...unit, children: [] as UnitNode[] }]))
  const top: UnitNode[] = []
  for (const node of nodes.values()) {
    const above = node.parent === null ? undefined : nodes.get(node.parent)
    if (above) above.children.push(node)
    else top.push(node)
  }
  return top
}

export function useUnits() {
  const session = useSession()
  const query = useQuery({
    queryKey: ['units'],
    queryFn: fetchUnits,
    enabled: computed(() => session.can('registry:read', 'users:manage')),
    staleTime: 5 * 60_000,
  })
  const names = computed(() => new Map((query.data.value ?? []).map((unit) => [unit.id, unit.name])))
  return {
    tree: computed(() => treeOf(query.data.value ?? [])),
    loading: query.isPending,
    problem: query.error,
    /** Its name, or its id where the name is not known. */
    nameOf: (id: string | null | undefined): string => (id ? (names.value.get(id) ?? id) : ''),
  }
}
