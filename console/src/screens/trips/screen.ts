import { Van } from '@element-plus/icons-vue'

import { defineScreen } from '@/app/screens'

export default defineScreen({
  name: 'trips',
  title: { zh: '用车申请', en: 'Requests' },
  group: 'work',
  order: 32,
  permissions: ['trips:apply', 'trips:enter', 'trips:read', 'trips:approve', 'trips:dispatch'],
  path: '/trips',
  icon: Van,
  texts: () => import('./texts'),
  routes: [
    { path: '/trips', name: 'trips', component: () => import('./TripList.vue') },
    { path: '/trips/new', name: 'trip-new', component: () => import('./TripForm.vue'), meta: { permissions: ['trips:apply', 'trips:enter'] } },
    { path: '/trips/:id/edit', name: 'trip-edit', component: () => import('./TripForm.vue'), meta: { permissions: ['trips:apply', 'trips:enter'] } },
    { path: '/trips/:id', name: 'trip', component: () => import('./TripPage.vue') },
    {
      path: '/dispatches/:id', name: 'dispatch-paper', component: () => import('./DispatchPage.vue'),
      meta: { permissions: ['trips:read', 'trips:apply', 'trips:enter', 'trips:approve', 'trips:dispatch', 'trips:drive'] },
    },
  ],
})
