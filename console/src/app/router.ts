// Addresses. Each screen brings its own routes; who has no right to one sees so in its place, at the same address.
import { createRouter, createWebHistory, type RouteLocationNormalized } from 'vue-router'

import { i18n, loadTexts, pick } from '@/i18n'
import { useSession } from '@/stores/session'

import type { Permission } from './permissions'
import { screens, type Screen } from './screens'

declare module 'vue-router' {
  interface RouteMeta {
    /** Shown to who is not signed in. */
    open?: boolean
    /** Within no frame of navigation. */
    bare?: boolean
    screen?: Screen
    permissions?: Permission[]
  }
}

export const RETURN_KEY = 'gongche.return'

/** An address of this page only: nobody is led elsewhere by a link to the login page. */
export function safeReturn(path: unknown): string {
  return typeof path === 'string' && /^\/(?![/\\])/.test(path) && !path.startsWith('/login') ? path : '/'
}

export const router = createRouter({
  history: createWebHistory('/'),
  routes: [
    { path: '/login', name: 'login', component: () => import('./LoginPage.vue'), meta: { open: true, bare: true } },
    { path: '/password', name: 'password', component: () => import('./PasswordPage.vue'), meta: { bare: true } },
    { path: '/', name: 'home', component: () => import('./HomePage.vue') },
    ...screens.flatMap((screen) =>
      screen.routes.map((route) => ({
        ...route,
        meta: { permissions: screen.permissions, ...route.meta, screen },
      })),
    ),
    { path: '/:rest(.*)*', name: 'not-found', component: () => import('./NotFoundPage.vue') },
  ],
  scrollBehavior: (_to, _from, saved) => saved ?? { top: 0 },
})

/** Begin to fetch what the first page needs while the server is still asked who is signed in: on a slow line each wait counts. */
function fetchAhead(to: RouteLocationNormalized): void {
  const ignored = (): undefined => undefined // whoever needs it asks again, and tells what is wrong
  if (to.meta.screen) loadTexts(to.meta.screen).catch(ignored)
  for (const { components } of to.matched) {
    const page: unknown = components?.default
    if (typeof page === 'function') Promise.resolve((page as () => unknown)()).catch(ignored)
  }
}

router.beforeEach(async (to: RouteLocationNormalized) => {
  const session = useSession()
  if (!session.known) {
    fetchAhead(to)
    await session.load().catch(() => undefined)
  }
  if (!session.signedIn && !to.meta.open) return { name: 'login', query: { return: to.fullPath } }
  if (session.signedIn && session.state?.must_change_password && to.name !== 'password') return { name: 'password' }
  if (to.name === 'home') {
    const wanted = safeReturn(window.sessionStorage.getItem(RETURN_KEY))
    window.sessionStorage.removeItem(RETURN_KEY)
    if (wanted !== '/') return wanted
  }
  if (to.meta.screen) await loadTexts(to.meta.screen)
  return true
})

router.afterEach((to) => {
  const title = to.meta.screen ? `${pick(to.meta.screen.title)} · ` : ''
  document.title = `${title}${i18n.global.t('app.name')}`
})
