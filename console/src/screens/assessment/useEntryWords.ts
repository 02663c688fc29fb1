// An entry of a scoring table in words.
import { useI18n } from 'vue-i18n'

import type { Entry } from './table'

export function useEntryWords(nameOf: (item: string) => string): (entry: Entry) => string {
  const { t } = useI18n()
  return (entry) => {
    if (entry.fact !== 'finding') return `${nameOf(entry.item)}：${t(`assessment.fact.${entry.fact}`)}`
    const parts = [
      (entry.findings ?? []).map((one) => t(`finding.${one}`)).join('、'),
      entry.rules ? entry.rules.map((one) => t(`rule.${one}`)).join('、') : t('assessment.anyRule'),
      entry.severities ? entry.severities.map((one) => t(`severity.${one}`)).join('、') : '',
      entry.sources ? entry.sources.map((one) => t(`assessment.source.${one}`)).join('、') : '',
    ]
    return `${nameOf(entry.item)}：${parts.filter(Boolean).join('；')}`
  }
}
