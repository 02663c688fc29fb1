import { Notification } from '@element-plus/icons-vue'

import { defineScreen } from '@/app/screens'
import { loadTexts } from '@/i18n'

export default defineScreen({
  name: 'notices',
  title: { zh: '通知公告', en: 'Notices' },
  group: 'work',
  order: 55,
  permissions: ['registry:read', 'trips:apply', 'trips:drive', 'notices:publish'],
  path: '/notices',
  icon: Notification,
  texts: () => import('./texts'),
  routes: [
    { path: '/notices', name: 'notices', component: () => import('./NoticeList.vue') },
    {
      path: '/notices/new', name: 'notice-new', component: () => import('./NoticeForm.vue'), meta: { permissions: ['notices:publish'] },
      // The names of roles are those of the administration.
      beforeEnter: () => loadTexts({ name: 'admin', texts: () => import('../admin/texts') }),
    },
    { path: '/notices/:id', name: 'notice', component: () => import('./NoticePage.vue') },
  ],
})
