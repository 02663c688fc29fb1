import { Operation } from '@element-plus/icons-vue'

import { defineScreen } from '@/app/screens'
import { loadTexts } from '@/i18n'

export default defineScreen({
  name: 'parameters',
  title: { zh: '规则参数', en: 'Rule parameters' },
  group: 'administration',
  order: 40,
  permissions: ['registry:read'],
  path: '/parameters',
  icon: Operation,
  texts: () => import('./texts'),
  routes: [
    { path: '/parameters', name: 'parameters', component: () => import('./ParametersPage.vue') },
    {
      path: '/parameters/change',
      name: 'parameter-change',
      meta: { permissions: ['registry:write'] },
      component: async () => {
        await loadTexts({ name: 'backtests', texts: () => import('../backtests/texts') })
        return import('./ChangePage.vue')
      },
    },
  ],
})
