import { Coin } from '@element-plus/icons-vue'

import { defineScreen } from '@/app/screens'

export default defineScreen({
  name: 'costs',
  title: { zh: '费用结算', en: 'Costs' },
  group: 'work',
  order: 38,
  permissions: ['costs:read'],
  path: '/costs/statements',
  icon: Coin,
  texts: () => import('./texts'),
  routes: [
    { path: '/costs/statements', name: 'statements', component: () => import('./StatementList.vue') },
    { path: '/costs/statements/:id', name: 'statement', component: () => import('./StatementPage.vue') },
    { path: '/costs/trips/:id', name: 'trip-cost', component: () => import('./TripCostPage.vue') },
  ],
})
