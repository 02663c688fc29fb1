import { PhoneFilled } from '@element-plus/icons-vue'

import { defineScreen } from '@/app/screens'

export default defineScreen({
  name: 'callbacks',
  title: { zh: '用车回访', en: 'Call-backs' },
  group: 'work',
  order: 42,
  permissions: ['cases:draft'],
  path: '/call-backs',
  icon: PhoneFilled,
  texts: () => import('./texts'),
  routes: [
    { path: '/call-backs', name: 'call-backs', component: () => import('./DrawList.vue') },
    { path: '/call-backs/:id', name: 'call-back-draw', component: () => import('./CallPage.vue') },
  ],
})
