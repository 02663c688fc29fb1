import { defineScreen } from '@/app/screens'

/** Reached by the bell of the frame. */
export default defineScreen({
  name: 'messages',
  title: { zh: '消息', en: 'Messages' },
  group: null,
  order: 60,
  permissions: ['cases:read'],
  path: '/messages',
  texts: () => import('./texts'),
  routes: [{ path: '/messages', name: 'messages', component: () => import('./MessageList.vue') }],
})
