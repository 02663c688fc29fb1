// Language, appearance and size of letters: of this browser, kept in it.
import { defineStore } from 'pinia'
import { ref, watchEffect } from 'vue'

import { i18n, type Language } from '@/i18n'
import { readStored, store } from './stored'

export type Theme = 'light' | 'dark' | 'auto'

interface Kept {
  language: Language
  theme: Theme
  large: boolean
  folded: boolean
  ground: string
}

export const usePreferences = defineStore('preferences', () => {
  const kept = readStored<Partial<Kept>>('preferences', {})
  const language = ref<Language>(kept.language === 'en' ? 'en' : 'zh')
  const theme = ref<Theme>(kept.theme === 'dark' || kept.theme === 'light' ? kept.theme : 'auto')
  const large = ref(kept.large === true)
  const folded = ref(kept.folded === true)
  /** What lies under maps (components/map/ground.ts), by its name. */
  const ground = ref(typeof kept.ground === 'string' ? kept.ground : 'own')
  const dark = ref(false)
  const system = window.matchMedia('(prefers-color-scheme: dark)')
  const systemDark = ref(system.matches)
  system.addEventListener('change', (event) => {
    systemDark.value = event.matches
  })

  // Paper is white: what is printed is not dark, whatever the screen is.
  const paper = window.matchMedia('print')
  const printing = ref(paper.matches)
  const turn = (now: boolean): void => {
    printing.value = now
    apply()
  }
  paper.addEventListener('change', (event) => turn(event.matches))
  window.addEventListener('beforeprint', () => turn(true))
  window.addEventListener('afterprint', () => turn(false))

  function apply(): void {
    dark.value = !printing.value && (theme.value === 'dark' || (theme.value === 'auto' && systemDark.value))
    const root = document.documentElement
    root.classList.toggle('dark', dark.value)
    root.classList.toggle('large', large.value)
    root.lang = language.value === 'zh' ? 'zh-CN' : 'en'
    i18n.global.locale.value = language.value
    store('preferences', { language: language.value, theme: theme.value, large: large.value, folded: folded.value, ground: ground.value })
  }
  watchEffect(apply)

  return { language, theme, large, folded, ground, dark }
})
