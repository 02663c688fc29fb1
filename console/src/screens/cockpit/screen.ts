import { DataBoard } from '@element-plus/icons-vue'

import { defineScreen } from '@/app/screens'

export default defineScreen({
  name: 'cockpit',
  title: { zh: '驾驶舱', en: 'Cockpit' },
  group: 'statistics',
  order: 10,
  permissions: ['tracks:read', 'alerts:read', 'cases:read', 'registry:read', 'users:manage', 'ops:read'],
  path: '/cockpit',
  icon: DataBoard,
  texts: () => import('./texts'),
  routes: [
    { path: '/cockpit', name: 'cockpit', component: () => import('./CockpitPage.vue') },
    // For a wall: no frame, letters that grow with the screen.
    { path: '/cockpit/wall', name: 'cockpit-wall', component: () => import('./CockpitPage.vue'), meta: { bare: true } },
  ],
})
