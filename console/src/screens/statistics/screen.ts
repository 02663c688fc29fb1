import { Histogram } from '@element-plus/icons-vue'

import { defineScreen } from '@/app/screens'

export default defineScreen({
  name: 'statistics',
  title: { zh: '统计', en: 'Statistics' },
  group: 'statistics',
  order: 20,
  permissions: ['alerts:read'],
  path: '/statistics',
  icon: Histogram,
  texts: () => import('./texts'),
  routes: [{ path: '/statistics', name: 'statistics', component: () => import('./StatisticsPage.vue') }],
})
