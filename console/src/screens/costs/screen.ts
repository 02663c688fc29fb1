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
    { path: '/costs/entries', name: 'cost-entries', component: () => import('./EntryList.vue') },
    { path: '/costs/entries/new', name: 'cost-entry-new', component: () => import('./EntryForm.vue'), meta: { permissions: ['costs:write'] } },
    { path: '/costs/entries/:id/correct', name: 'cost-entry-correct', component: () => import('./EntryForm.vue'), meta: { permissions: ['costs:write'] } },
    { path: '/costs/entries/:id', name: 'cost-entry', component: () => import('./EntryPage.vue') },
    { path: '/costs/reconciliations', name: 'reconciliations', component: () => import('./RunList.vue') },
    { path: '/costs/reconciliations/new', name: 'reconciliation-new', component: () => import('./RunForm.vue'), meta: { permissions: ['costs:reconcile'] } },
    { path: '/costs/reconciliations/:id', name: 'reconciliation', component: () => import('./RunPage.vue') },
    { path: '/costs/mappings', name: 'voucher-mappings', component: () => import('./MappingPage.vue') },
    { path: '/costs/indicators', name: 'indicators', component: () => import('./IndicatorPage.vue') },
  ],
})
