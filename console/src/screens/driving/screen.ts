import { Guide } from '@element-plus/icons-vue'

import { defineScreen } from '@/app/screens'
import { loadTexts } from '@/i18n'

export default defineScreen({
  name: 'driving',
  title: { zh: '驾驶任务', en: 'My drives' },
  group: 'work',
  order: 38,
  permissions: ['trips:drive'],
  path: '/driving',
  icon: Guide,
  texts: () => import('./texts'),
  routes: [
    {
      path: '/driving', name: 'driving', component: () => import('./DrivingPage.vue'),
      beforeEnter: () => loadTexts({ name: 'trips', texts: () => import('../trips/texts') }),
    },
  ],
})
