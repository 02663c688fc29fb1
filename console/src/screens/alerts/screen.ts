import { Bell } from '@element-plus/icons-vue'

import { defineScreen } from '@/app/screens'

export default defineScreen({
  name: 'alerts',
  title: { zh: '预警中心', en: 'Alerts' },
  group: 'work',
  order: 20,
  permissions: ['alerts:read'],
  path: '/alerts',
  icon: Bell,
  texts: () => import('./texts'),
  routes: [
    { path: '/alerts', name: 'alerts', component: () => import('./AlertList.vue') },
    { path: '/alerts/:id', name: 'alert', component: () => import('./detail/DetailPage.vue') },
  ],
})
