import './polyfills'

import { QueryClient, VueQueryPlugin } from '@tanstack/vue-query'
import { createPinia } from 'pinia'
import { createApp } from 'vue'

import 'element-plus/theme-chalk/base.css'
import 'element-plus/theme-chalk/dark/css-vars.css'
import './styles/tokens.css'
import './styles/base.css'
import './styles/phone.css'

import { ApiProblem } from './api/problem'
import App from './app/App.vue'
import { router } from './app/router'
import { keepFirstPages } from './composables/usePagedList'
import { i18n } from './i18n'
import { useClock } from './stores/clock'
import { useConnection } from './stores/connection'
import { usePreferences } from './stores/preferences'
import { useSession } from './stores/session'

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 15_000,
      refetchOnWindowFocus: false,
      // A refusal stays one; only what comes of load or of the network is tried again.
      retry: (count, error) => count < 1 && error instanceof ApiProblem && error.status === 503,
      networkMode: 'always',
    },
    mutations: { networkMode: 'always' },
  },
})

const app = createApp(App)
app.use(createPinia()).use(i18n).use(VueQueryPlugin, { queryClient: queries })
usePreferences()
useClock()
useConnection().onReturn(() => {
  void useSession().complete()
  keepFirstPages(queries)
  void queries.invalidateQueries()
})
app.use(router)
app.mount('#app')
