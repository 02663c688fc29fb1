import { defineScreen } from '@/app/screens'

// Reached by the menu at one's name, as it is for everybody who is signed in.
export default defineScreen({
  name: 'account',
  title: { zh: '我的账户', en: 'My account' },
  group: null,
  order: 90,
  permissions: [],
  path: '/account',
  texts: () => import('./texts'),
  routes: [{ path: '/account', name: 'account', component: () => import('./AccountPage.vue') }],
})
