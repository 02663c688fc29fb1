import { Monitor } from '@element-plus/icons-vue'

import { defineScreen } from '@/app/screens'

export default defineScreen({
  name: 'operations',
  title: { zh: '运行状况', en: 'Operations' },
  group: 'operations',
  order: 10,
  permissions: ['ops:read'],
  path: '/operations',
  icon: Monitor,
  texts: () => import('./texts'),
  routes: [{ path: '/operations', name: 'operations', component: () => import('./OperationsPage.vue') }],
})
