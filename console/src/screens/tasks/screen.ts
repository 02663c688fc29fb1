import { Tools } from '@element-plus/icons-vue'

import { defineScreen } from '@/app/screens'

export default defineScreen({
  name: 'tasks',
  title: { zh: '数据任务', en: 'Data tasks' },
  group: 'work',
  order: 50,
  permissions: ['cases:read'],
  path: '/tasks',
  icon: Tools,
  texts: () => import('./texts'),
  routes: [{ path: '/tasks', name: 'tasks', component: () => import('./TaskList.vue') }],
})
