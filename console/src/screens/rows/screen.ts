import { defineScreen } from '@/app/screens'

/** No place of its own in the navigation: numbers of other screens lead here. */
export default defineScreen({
  name: 'rows',
  title: { zh: '明细', en: 'Rows' },
  group: null,
  order: 0,
  permissions: [],
  path: '/rows',
  texts: () => import('./texts'),
  routes: [{ path: '/rows', name: 'rows', component: () => import('./RowsList.vue') }],
})
