// A screen is a folder src/screens/<name> with screen.ts (this definition) and texts.ts. Nothing else has to be changed to add one:
// routes, navigation and texts are found here.
import type { Component } from 'vue'
import type { RouteRecordRaw } from 'vue-router'

import type { Bilingual } from '@/api/problem'
import type { Permission } from './permissions'

/** The groups of the navigation, in their order. */
export const GROUPS = ['work', 'map', 'records', 'statistics', 'operations', 'administration'] as const

export interface Texts {
  zh: Record<string, unknown>
  en: Record<string, unknown>
}

export interface Screen {
  /** Name of the folder; its texts are ``t('<name>.…')``. */
  name: string
  title: Bilingual
  /** null: not in the navigation. */
  group: (typeof GROUPS)[number] | null
  /** Place within its group. */
  order: number
  /** One of these is needed; none named: everybody who is signed in. */
  permissions: Permission[]
  /** Where the navigation leads; the first of ``routes``. */
  path: string
  icon?: Component
  texts: () => Promise<{ default: Texts }>
  routes: RouteRecordRaw[]
}

/** For type checks in screen.ts. */
export function defineScreen(screen: Screen): Screen {
  return screen
}

const found = import.meta.glob<{ default: Screen }>('../screens/*/screen.ts', { eager: true })

export const screens: Screen[] = Object.values(found)
  .map((module) => module.default)
  .slice()
  .sort((a, b) => a.order - b.order)
