import { DataAnalysis } from '@element-plus/icons-vue'

import { defineScreen } from '@/app/screens'
import { loadTexts } from '@/i18n'

// The names of parameters are with the screen of the parameters.
const named = () => loadTexts({ name: 'parameters', texts: () => import('../parameters/texts') })

export default defineScreen({
  name: 'backtests',
  title: { zh: '回测', en: 'Backtests' },
  group: 'administration',
  order: 50,
  permissions: ['registry:write'],
  path: '/backtests',
  icon: DataAnalysis,
  texts: () => import('./texts'),
  routes: [
    { path: '/backtests', name: 'backtests', component: async () => (await named(), import('./BacktestList.vue')) },
    { path: '/backtests/:no(\\d+)', name: 'backtest', component: async () => (await named(), import('./BacktestPage.vue')) },
  ],
})
