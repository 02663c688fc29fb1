// What the navigation shows to whom.
import type { Permission } from './permissions'
import { GROUPS, screens, type Screen } from './screens'

export interface NavigationGroup {
  group: (typeof GROUPS)[number]
  screens: Screen[]
}

/** The groups with the screens that somebody may see; groups with none are left out. */
export function screensFor(can: (...wanted: Permission[]) => boolean): NavigationGroup[] {
  return GROUPS.map((group) => ({
    group,
    screens: screens.filter((screen) => screen.group === group && can(...screen.permissions)),
  })).filter((one) => one.screens.length > 0)
}
