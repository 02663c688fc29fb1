import { Operation } from '@element-plus/icons-vue'

import { defineScreen } from '@/app/screens'
import { loadTexts } from '@/i18n'

export default defineScreen({
  name: 'dispatch',
  title: { zh: '调度台', en: 'Dispatch' },
  group: 'work',
  order: 36,
  permissions: ['trips:dispatch'],
  path: '/dispatch',
  icon: Operation,
  texts: () => import('./texts'),
  routes: [
    {
      path: '/dispatch', name: 'dispatch', component: () => import('./DeskPage.vue'),
      beforeEnter: () => loadTexts({ name: 'trips', texts: () => import('../trips/texts') }),
    },
  ],
})
