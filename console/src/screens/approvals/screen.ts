import { Stamp } from '@element-plus/icons-vue'

import { defineScreen } from '@/app/screens'
import { loadTexts } from '@/i18n'

export default defineScreen({
  name: 'approvals',
  title: { zh: '待我审批', en: 'To approve' },
  group: 'work',
  order: 34,
  permissions: ['trips:approve'],
  path: '/approvals',
  icon: Stamp,
  texts: () => import('./texts'),
  routes: [
    {
      path: '/approvals', name: 'approvals', component: () => import('./ApprovalsPage.vue'),
      beforeEnter: () => loadTexts({ name: 'trips', texts: () => import('../trips/texts') }),
    },
  ],
})
