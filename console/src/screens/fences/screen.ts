import { Crop } from '@element-plus/icons-vue'

import { defineScreen } from '@/app/screens'
import { loadTexts } from '@/i18n'

// Vehicles are named and chosen as in the registry; imports have its words.
const named = () => loadTexts({ name: 'registry', texts: () => import('../registry/texts') })
const write = { permissions: ['registry:write' as const] }

export default defineScreen({
  name: 'fences',
  title: { zh: '围栏', en: 'Fences' },
  group: 'records',
  order: 20,
  permissions: ['registry:read'],
  path: '/fences',
  icon: Crop,
  texts: () => import('./texts'),
  routes: [
    { path: '/fences', name: 'fences', component: async () => (await named(), import('./FenceList.vue')) },
    { path: '/fences/new', name: 'fence-new', component: async () => (await named(), import('./FenceForm.vue')), meta: write },
    { path: '/fences/import', name: 'fence-import', component: async () => (await named(), import('./FenceImport.vue')), meta: write },
    { path: '/fences/of/:id', name: 'fence', component: async () => (await named(), import('./FencePage.vue')) },
    { path: '/fences/of/:id/edit', name: 'fence-edit', component: async () => (await named(), import('./FenceForm.vue')), meta: write },
  ],
})
