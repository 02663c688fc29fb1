import { Files } from '@element-plus/icons-vue'

import { defineScreen } from '@/app/screens'

export default defineScreen({
  name: 'registry',
  title: { zh: '一车一档', en: 'Registry' },
  group: 'records',
  order: 10,
  permissions: ['registry:read'],
  path: '/registry/vehicles',
  icon: Files,
  texts: () => import('./texts'),
  routes: [
    { path: '/registry/:kind', name: 'registry', component: () => import('./RegistryList.vue') },
    { path: '/registry/:kind/import', name: 'registry-import', component: () => import('./ImportPage.vue'), meta: { permissions: ['registry:write'] } },
    { path: '/registry/:kind/new', name: 'registry-new', component: () => import('./RecordForm.vue'), meta: { permissions: ['registry:write'] } },
    { path: '/registry/:kind/of/:id', name: 'record', component: () => import('./RecordPage.vue') },
    { path: '/registry/:kind/of/:id/edit', name: 'record-edit', component: () => import('./RecordForm.vue'), meta: { permissions: ['registry:write'] } },
  ],
})
