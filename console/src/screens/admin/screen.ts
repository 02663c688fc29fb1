import { Setting } from '@element-plus/icons-vue'

import { defineScreen } from '@/app/screens'

import { SECTIONS } from './sections'

export default defineScreen({
  name: 'admin',
  title: { zh: '管理', en: 'Administration' },
  group: 'administration',
  order: 10,
  permissions: [...new Set(SECTIONS.flatMap((one) => one.permissions))],
  path: '/admin',
  icon: Setting,
  texts: () => import('./texts'),
  routes: [
    { path: '/admin', name: 'admin', component: () => import('./AdminHome.vue') },
    { path: '/admin/users', name: 'admin-users', component: () => import('./UserList.vue'), meta: { permissions: ['users:manage'] } },
    { path: '/admin/users/:id', name: 'admin-user', component: () => import('./UserPage.vue'), meta: { permissions: ['users:manage'] } },
    { path: '/admin/clients', name: 'admin-clients', component: () => import('./ClientsPage.vue'), meta: { permissions: ['users:manage'] } },
    { path: '/admin/subscriptions', name: 'admin-subscriptions', component: () => import('./SubscriptionsPage.vue'), meta: { permissions: ['subscriptions:manage'] } },
    { path: '/admin/subscriptions/:name', name: 'admin-subscription', component: () => import('./SubscriptionPage.vue'), meta: { permissions: ['subscriptions:manage'] } },
    { path: '/admin/audit', name: 'admin-audit', component: () => import('./AuditList.vue'), meta: { permissions: ['audit:read'] } },
    { path: '/admin/exchange', name: 'admin-exchange', component: () => import('./ExchangePage.vue'), meta: { permissions: ['exchange:read'] } },
    { path: '/admin/failures', name: 'admin-failures', component: () => import('./FailureList.vue'), meta: { permissions: ['users:manage'] } },
    { path: '/admin/secret', name: 'admin-secret', component: () => import('./SecretPage.vue'), meta: { permissions: ['secret:read', 'secret:change'] } },
    { path: '/admin/codes', name: 'admin-codes', component: () => import('./CodesPage.vue'), meta: { permissions: ['dispositions:write'] } },
  ],
})
