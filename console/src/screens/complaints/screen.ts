import { Phone } from '@element-plus/icons-vue'

import { defineScreen } from '@/app/screens'

export default defineScreen({
  name: 'complaints',
  title: { zh: '12345 诉求', en: 'Complaints 12345' },
  group: 'work',
  order: 40,
  permissions: ['cases:draft'],
  path: '/complaints',
  icon: Phone,
  texts: () => import('./texts'),
  routes: [
    { path: '/complaints', name: 'complaints', component: () => import('./ComplaintList.vue') },
    { path: '/complaints/new', name: 'complaint-new', component: () => import('./ComplaintForm.vue') },
    { path: '/complaints/import', name: 'complaint-import', component: () => import('./ComplaintImport.vue') },
    { path: '/complaints/:id', name: 'complaint', component: () => import('./ComplaintPage.vue') },
  ],
})
