import { Tickets } from '@element-plus/icons-vue'

import { defineScreen } from '@/app/screens'

export default defineScreen({
  name: 'rentals',
  title: { zh: '租赁报备', en: 'Rentals' },
  group: 'work',
  order: 37,
  permissions: ['trips:read', 'trips:dispatch', 'rentals:approve'],
  path: '/rentals',
  icon: Tickets,
  texts: () => import('./texts'),
  routes: [
    { path: '/rentals', name: 'rentals', component: () => import('./RentalList.vue') },
    { path: '/rentals/new', name: 'rental-new', component: () => import('./RentalForm.vue'), meta: { permissions: ['trips:dispatch'] } },
    { path: '/rentals/:id', alias: '/rental-reports/:id', name: 'rental', component: () => import('./RentalPage.vue') },
  ],
})
