import { Medal } from '@element-plus/icons-vue'

import { defineScreen } from '@/app/screens'

export default defineScreen({
  name: 'assessment',
  title: { zh: '考核', en: 'Assessment' },
  group: 'statistics',
  order: 30,
  permissions: ['assessments:read'],
  path: '/assessment',
  icon: Medal,
  texts: () => import('./texts'),
  routes: [
    { path: '/assessment', name: 'assessment', component: () => import('./RankingPage.vue') },
    { path: '/assessment/objections', name: 'assessment-objections', component: () => import('./ObjectionsPage.vue') },
    { path: '/assessment/tables', name: 'assessment-tables', component: () => import('./TablesPage.vue') },
    {
      path: '/assessment/tables/:organisation/:year(\\d{4})/draft', name: 'assessment-draft', component: () => import('./TableForm.vue'), meta: { permissions: ['assessments:manage'] },
    },
    { path: '/assessment/:period/:organisation', name: 'assessment-sheet', component: () => import('./SheetPage.vue') },
  ],
})
