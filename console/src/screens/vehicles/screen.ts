import { SetUp } from '@element-plus/icons-vue'

import { defineScreen } from '@/app/screens'

export default defineScreen({
  name: 'vehicles',
  title: { zh: '车辆管理', en: 'Vehicle affairs' },
  group: 'records',
  order: 12,
  permissions: ['registry:read', 'maintenance:approve', 'vehicles:agree', 'vehicles:approve'],
  path: '/vehicles/maintenance',
  icon: SetUp,
  texts: () => import('./texts'),
  routes: [
    { path: '/vehicles/maintenance', name: 'repairs', component: () => import('./RepairList.vue') },
    // Messages name papers as the API does.
    { path: '/vehicles/maintenance/:id', alias: '/maintenance/:id', name: 'repair', component: () => import('./RepairPage.vue') },
    { path: '/vehicles/acts', name: 'vehicle-acts', component: () => import('./ActList.vue') },
    { path: '/vehicles/acts/:id', alias: '/vehicle-acts/:id', name: 'vehicle-act', component: () => import('./ActPage.vue') },
    { path: '/vehicles/papers', name: 'vehicle-papers', component: () => import('./PaperList.vue'), meta: { permissions: ['registry:read'] } },
    { path: '/vehicles/papers/:id', alias: '/vehicle-papers/:id', name: 'vehicle-paper', component: () => import('./PaperPage.vue'), meta: { permissions: ['registry:read'] } },
    { path: '/vehicles/quotas', name: 'quotas', component: () => import('./QuotaList.vue'), meta: { permissions: ['registry:read'] } },
    { path: '/vehicles/quotas/:unit/:class(confidential|emergency|enforcement|special|guaranteed|other)', name: 'quota', component: () => import('./QuotaPage.vue'), meta: { permissions: ['registry:read'] } },
    { path: '/vehicles/standard', name: 'quota-vehicles', component: () => import('./StandardList.vue'), meta: { permissions: ['registry:read'] } },
  ],
})
