import { Finished } from '@element-plus/icons-vue'

import { defineScreen } from '@/app/screens'

export default defineScreen({
  name: 'quality',
  title: { zh: '数据质量', en: 'Data quality' },
  group: 'statistics',
  order: 40,
  permissions: ['registry:read', 'alerts:read', 'tracks:read', 'cases:read', 'users:manage', 'ops:read'],
  path: '/quality',
  icon: Finished,
  texts: () => import('./texts'),
  routes: [{ path: '/quality', name: 'quality', component: () => import('./QualityPage.vue') }],
})
