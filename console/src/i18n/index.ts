// Chinese first; English by a switch. Texts of a screen come with the screen (app/router.ts), those of all screens are here.
import { createI18n } from 'vue-i18n'

import type { Bilingual } from '@/api/problem'
import type { Screen } from '@/app/screens'

import common from './common'

export type Language = 'zh' | 'en'

export const i18n = createI18n({
  legacy: false,
  locale: 'zh',
  fallbackLocale: 'zh',
  messages: { zh: common.zh, en: common.en },
})

const loaded = new Set<string>()

/** Have the texts of a screen here. A screen that shows parts of another one asks for that one's as well. */
export async function loadTexts(screen: Pick<Screen, 'name' | 'texts'>): Promise<void> {
  if (loaded.has(screen.name)) return
  const { default: texts } = await screen.texts()
  i18n.global.mergeLocaleMessage('zh', { [screen.name]: texts.zh })
  i18n.global.mergeLocaleMessage('en', { [screen.name]: texts.en })
  loaded.add(screen.name)
}

export function language(): Language {
  return i18n.global.locale.value === 'en' ? 'en' : 'zh'
}

/** The part of a text of both languages that is wanted now. */
export function pick(text: Bilingual): string {
  return text[language()]
}
