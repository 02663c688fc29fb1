// What lies under the drawings of a map: the tiles of one's own, pictures of others, or nothing.
import { useQuery } from '@tanstack/vue-query'
import { computed } from 'vue'

import { api, ask, type Schemas } from '@/api/client'
import { usePreferences } from '@/stores/preferences'

export type OwnMap = Schemas['OwnMap']
export type MapLayer = Schemas['MapLayer']
/** ``key``: another ground has another one. */
export type Ground = { key: string; own: OwnMap; layer?: undefined } | { key: string; own?: undefined; layer: MapLayer }

/** The base map is asked for again after so long: the office may have made a new one. */
const OLD_MS = 10 * 60_000
export const OWN = 'own'
export const NONE = 'none'

/** The ground that a person wants, of those that there are: his choice, else the map of one's own. */
export function groundOf(said: Schemas['BaseMapShown'] | undefined, wanted: string): Ground | null {
  if (!said || wanted === NONE) return null
  const layer = said.layers.find((one) => one.name === wanted)
  if (layer) return { key: `layer ${layer.name}`, layer }
  return said.own ? { key: `own ${said.own.version}`, own: said.own } : null
}

export function useGround() {
  const preferences = usePreferences()
  const query = useQuery({
    queryKey: ['basemap'],
    queryFn: () => ask(api.GET('/v1/basemap')),
    staleTime: OLD_MS,
    // A map without a ground is a map: nobody is told of a second failure.
    retry: 1,
  })
  const said = computed(() => query.data.value)
  return {
    said,
    /** Whether it is known what there is. */
    known: computed(() => query.isSuccess.value || query.isError.value),
    ground: computed(() => groundOf(said.value, preferences.ground)),
    /** The tiles of a version are gone: there is a new map. */
    askAgain: (): void => void query.refetch(),
  }
}
