import { Share } from '@element-plus/icons-vue'

import { defineScreen } from '@/app/screens'
import { loadTexts } from '@/i18n'

export default defineScreen({
  name: 'chains',
  title: { zh: '审批规则', en: 'Approval tables' },
  group: 'administration',
  order: 45,
  permissions: ['trips:rules', 'trips:read'],
  path: '/approval-tables',
  icon: Share,
  texts: () => import('./texts'),
  routes: [
    {
      path: '/approval-tables', name: 'approval-tables', component: () => import('./ChainsPage.vue'),
      // Names of purposes and categories.
      beforeEnter: () => loadTexts({ name: 'trips', texts: () => import('../trips/texts') }),
    },
  ],
})
