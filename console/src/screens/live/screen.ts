import { Location } from '@element-plus/icons-vue'

import { defineScreen } from '@/app/screens'

export default defineScreen({
  name: 'live',
  title: { zh: '实时地图', en: 'Live map' },
  group: 'map',
  order: 10,
  permissions: ['tracks:read'],
  path: '/live',
  icon: Location,
  texts: () => import('./texts'),
  routes: [{ path: '/live', name: 'live', component: () => import('./LivePage.vue') }],
})
