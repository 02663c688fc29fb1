// What the pages of quotas ask of the API: how many vehicles of a class a unit may have, and which are above the standard.
import { api, ask, type Schemas } from '@/api/client'
import type { DialogField } from '@/components/dialogField'
import type { Page } from '@/composables/usePagedList'

export type QuotaClass = Schemas['QuotaClass']
export type QuotaLine = Schemas['QuotaLine']
export type QuotaView = Schemas['QuotaView']
export type QuotaVehicle = Schemas['QuotaVehicle']
export type QuotaPlace = Schemas['QuotaPlace']

export const CLASSES = ['confidential', 'emergency', 'enforcement', 'special', 'guaranteed', 'other'] as const satisfies readonly QuotaClass[]
export const LINE_STANDINGS = ['over', 'unset', 'within'] as const satisfies readonly QuotaLine['standing'][]
export const STANDINGS = ['above', 'unknown', 'within', 'not_judged'] as const satisfies readonly QuotaVehicle['standing'][]
export const TIERS = ['base', 'need', 'special_case'] as const satisfies readonly QuotaPlace['tier'][]

/** A class of a unit. */
export interface Line extends QuotaLine {
  id: string
  organisation: string
}
export interface QuotaFilters {
  organisation?: string
  standing?: string
}
/** The lines of a page of units; under a standing those that have it: the API gives the units with such a line, whole. */
export async function linePage(filters: QuotaFilters, cursor: string | undefined, limit: number): Promise<Page<Line>> {
  const standing = filters.standing as QuotaLine['standing'] | undefined
  const page = await ask(api.GET('/v1/quotas', { params: { query: { organisation: filters.organisation, standing, cursor, limit } } }))
  const items = page.items.flatMap((unit) => unit.lines.map((line) => ({ ...line, id: `${unit.organisation} ${line.quota_class ?? ''}`, organisation: unit.organisation })))
  return { items: items.filter((line) => standing === undefined || line.standing === standing), next: page.next ?? null }
}
export const quota = (organisation: string, quotaClass: QuotaClass): Promise<QuotaView> =>
  ask(api.GET('/v1/quotas/{organisation}/{quota_class}', { params: { path: { organisation, quota_class: quotaClass } } }))
export const setQuota = (organisation: string, quotaClass: QuotaClass, body: Schemas['QuotaNew']): Promise<QuotaView> =>
  ask(api.PUT('/v1/quotas/{organisation}/{quota_class}', { params: { path: { organisation, quota_class: quotaClass } }, body }))

export interface StandardFilters {
  organisation?: string
  quota_class?: string
  standing?: string
  unplaced?: string
}
export const standardPage = (filters: StandardFilters, cursor: string | undefined, limit: number): Promise<Page<QuotaVehicle>> =>
  ask(api.GET('/v1/quota-vehicles', {
    params: { query: { organisation: filters.organisation, quota_class: filters.quota_class as QuotaClass | undefined, standing: filters.standing as QuotaVehicle['standing'] | undefined, unplaced: filters.unplaced === '1', cursor, limit } },
  }))
export const placesOf = async (id: string): Promise<QuotaPlace[]> => (await ask(api.GET('/v1/vehicles/{id}/quota-place', { params: { path: { id } } }))).items
export const setPlace = async (id: string, body: Schemas['QuotaPlaceNew']): Promise<QuotaPlace[]> => (await ask(api.PUT('/v1/vehicles/{id}/quota-place', { params: { path: { id } }, body }))).items
export const workbookOf = (organisation: string | undefined): string => `/v1/quota-workbook${organisation ? `?organisation=${encodeURIComponent(organisation)}` : ''}`

const SIGNS = {
  over: { kind: 'bad', sign: '！' }, above: { kind: 'bad', sign: '！' }, unset: { kind: 'care', sign: '◇' }, unknown: { kind: 'care', sign: '◇' }, within: { kind: 'good', sign: '✓' }, not_judged: { kind: 'plain', sign: '—' },
} as const
export const quotaSign = (standing: keyof typeof SIGNS): (typeof SIGNS)[keyof typeof SIGNS] => SIGNS[standing]

type Say = (key: string) => string
const paper = (t: Say): DialogField[] => [
  { name: 'approved_by', label: t('vehicles.approvedBy'), required: true }, { name: 'paper_no', label: t('vehicles.field.paper_no'), required: true }, { name: 'note', label: t('vehicles.note'), leftOut: true },
]
const classField = (t: Say): DialogField => ({ name: 'quota_class', label: t('vehicles.quotaClassOf'), type: 'choice', required: true, options: CLASSES.map((value) => ({ value, label: t(`vehicles.quotaClass.${value}`) })) })
/** ``named``: unit and class are said already. */
export const quotaFields = (t: Say, named: boolean): DialogField[] => [
  ...(named ? [] : [{ name: 'organisation', label: t('vehicles.unit'), type: 'unit' as const, required: true }, classField(t)]),
  { name: 'vehicles', label: t('vehicles.quotaOf'), type: 'whole', required: true }, { name: 'valid_from', label: t('vehicles.validFrom'), type: 'day', required: true, hint: t('vehicles.hint.bought_on') }, ...paper(t),
]
export const placeFields = (t: Say): DialogField[] => [
  classField(t), { name: 'tier', label: t('vehicles.tierOf'), type: 'choice', required: true, options: TIERS.map((value) => ({ value, label: t(`vehicles.tier.${value}`) })), hint: t('vehicles.tierHint') }, ...paper(t),
]
