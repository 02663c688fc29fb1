// Names of parameters and units, and values as people read them.
import { useI18n } from 'vue-i18n'

import { clock, kindOf, typesOf, type Known } from './parameters'

/** A key of the texts: those have letters only. */
const unitKey = (unit: string): string => `u_${unit.replace(/\W/g, '_')}`

export function useValues() {
  const { t, te } = useI18n()
  const word = (key: string, otherwise: string): string => (te(key) ? t(key) : otherwise)

  /** "1500 ‰（1.5 倍）", "22:00", "是". */
  function shown(value: number, unit: string): string {
    switch (kindOf(unit)) {
      case 'flag': return t(value === 1 ? 'parameters.yes' : 'parameters.no')
      case 'clock': return clock(value)
      case 'types': return typesOf(value).map((one) => t(`parameters.types.${one}`)).join('、') || t('parameters.noTypes')
      case 'permille': return value >= 1000 ? `${value} ‰（${t('parameters.times', { count: value / 1000 })}）` : `${value} ‰`
      default: return unit === '1' ? String(value) : `${value} ${word(`parameters.unit.${unitKey(unit)}`, unit)}`
    }
  }

  /** Without how many times a permille is: limits are read as they are typed. */
  function limit(value: number, known: Known): string {
    const kind = kindOf(known.unit)
    return kind === 'types' ? String(value) : kind === 'permille' ? `${value} ‰` : shown(value, known.unit)
  }

  return {
    shown,
    /** Of a rule, or of a group of shared parameters. */
    groupName: (rule: string): string => word(`rule.${rule}`, word(`parameters.group.${rule}`, rule)),
    /** One without a name here (the server is newer) keeps that of the server. */
    nameOf: (rule: string, name: string): string => word(`parameters.name.${rule}.${name}`, name),
    /** A limit in the parameter's unit. */
    limit,
    /** Both limits, with the unit said once. */
    range: (known: Known): string => {
      const kind = kindOf(known.unit)
      if (kind === 'flag') return `${t('parameters.no')} / ${t('parameters.yes')}`
      return `${kind === 'clock' ? clock(known.minimum) : known.minimum} – ${limit(known.maximum, known)}`
    },
    source: (said: string): string =>
      said === 'gongche reading of the rule' ? t('parameters.own') : said === 'gongche reading of the rule, second edition' ? t('parameters.own2') : said,
  }
}
