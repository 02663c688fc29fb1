import { defineScreen } from '@/app/screens'

/** Reached by the bell of the frame. */
export default defineScreen({
  name: 'messages',
  title: { zh: '消息', en: 'Messages' },
  group: null,
  order: 60,
  permissions: ['cases:read', 'trips:read', 'trips:apply', 'trips:enter', 'trips:approve', 'trips:dispatch', 'trips:drive', 'trips:rules'],
  path: '/messages',
  texts: () => import('./texts'),
  routes: [{ path: '/messages', name: 'messages', component: () => import('./MessageList.vue') }],
})
