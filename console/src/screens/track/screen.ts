import { Guide } from '@element-plus/icons-vue'

import { defineScreen } from '@/app/screens'

export default defineScreen({
  name: 'track',
  title: { zh: '轨迹回放', en: 'Tracks' },
  group: 'map',
  order: 20,
  permissions: ['tracks:read'],
  path: '/tracks',
  icon: Guide,
  texts: () => import('./texts'),
  routes: [
    { path: '/tracks', name: 'tracks', component: () => import('./TrackPage.vue') },
    { path: '/tracks/:id', name: 'track', component: () => import('./TrackPage.vue') },
  ],
})
