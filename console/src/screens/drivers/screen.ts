import { Postcard } from '@element-plus/icons-vue'

import { defineScreen } from '@/app/screens'

export default defineScreen({
  name: 'drivers',
  title: { zh: '驾驶员', en: 'Drivers' },
  group: 'work',
  order: 39,
  permissions: ['trips:drive', 'registry:read', 'drivers:decide', 'assessments:read'],
  path: '/drivers',
  icon: Postcard,
  texts: () => import('./texts'),
  routes: [
    { path: '/drivers', name: 'drivers', component: () => import('./DriversHome.vue') },
    { path: '/drivers/mine', name: 'drivers-mine', component: () => import('./MinePage.vue'), meta: { permissions: ['trips:drive'] } },
    { path: '/drivers/roster', name: 'drivers-roster', component: () => import('./RosterList.vue'), meta: { permissions: ['registry:read'] } },
    { path: '/drivers/leaves', name: 'drivers-leaves', component: () => import('./LeaveList.vue'), meta: { permissions: ['drivers:decide', 'registry:write'] } },
    {
      // Messages name a leave as the API does.
      path: '/drivers/leaves/:id', alias: '/driver-leaves/:id', name: 'driver-leave', component: () => import('./LeavePage.vue'),
      meta: { permissions: ['drivers:decide', 'registry:write', 'trips:drive'] },
    },
    { path: '/drivers/sheets', name: 'drivers-sheets', component: () => import('./SheetList.vue'), meta: { permissions: ['assessments:read', 'drivers:decide'] } },
    { path: '/drivers/of/:id', name: 'driver', component: () => import('./DriverPage.vue'), meta: { permissions: ['registry:read', 'drivers:decide', 'assessments:read'] } },
    { path: '/drivers/of/:id/sheets/:period(20\\d{2}Q[1-4])', name: 'driver-sheet', component: () => import('./SheetPage.vue') },
  ],
})
