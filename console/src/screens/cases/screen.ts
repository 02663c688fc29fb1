import { DocumentChecked } from '@element-plus/icons-vue'

import { defineScreen } from '@/app/screens'

export default defineScreen({
  name: 'cases',
  title: { zh: '督办', en: 'Cases' },
  group: 'work',
  order: 30,
  permissions: ['cases:read'],
  path: '/cases',
  icon: DocumentChecked,
  texts: () => import('./texts'),
  routes: [
    { path: '/cases', name: 'cases', component: () => import('./CaseList.vue') },
    { path: '/cases/new', name: 'case-new', component: () => import('./DraftPage.vue'), meta: { permissions: ['cases:draft'] } },
    { path: '/cases/proposals', name: 'case-proposals', component: () => import('./ProposalPage.vue'), meta: { permissions: ['cases:draft'] } },
    { path: '/cases/spot-check', name: 'case-spot-check', component: () => import('./SpotCheckPage.vue'), meta: { permissions: ['cases:draft'] } },
    { path: '/cases/:id/edit', name: 'case-edit', component: () => import('./DraftPage.vue'), meta: { permissions: ['cases:draft'] } },
    { path: '/cases/:id', name: 'case', component: () => import('./CasePage.vue') },
  ],
})
