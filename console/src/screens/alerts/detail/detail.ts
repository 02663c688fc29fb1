// What the page of one alert asks of the API.
import type { QueryClient } from '@tanstack/vue-query'
import { markRaw } from 'vue'

import { api, ask, type Schemas } from '@/api/client'
import { once } from '@/api/once'
import { addDays, dayOf, startOf } from '@/text/time'

import { object, type Frozen } from './frozen'

export type AlertDetail = Schemas['AlertWithVersions']
export type Listed = Schemas['AlertBody']

/** Frozen evidence: its bytes as they were received, which are what is hashed, and what they say. */
export interface Evidence {
  bytes: Uint8Array
  body: Frozen
}

export async function fetchAlert(id: string): Promise<AlertDetail> {
  return ask(api.GET('/v1/alerts/{id}', { params: { path: { id } } }))
}

/** The body byte for byte; the reading is noted in the audit. */
export async function fetchEvidence(id: string, version: number): Promise<Evidence> {
  const answer = await ask(api.GET('/v1/alerts/{id}/evidence', { params: { path: { id }, query: { raw: true, version } }, parseAs: 'arrayBuffer' }))
  const bytes = new Uint8Array(answer as unknown as ArrayBuffer)
  // Raw: ten thousand fixes behind proxies of Vue are read ten times as slowly.
  return markRaw({ bytes, body: object(JSON.parse(new TextDecoder().decode(bytes))) ?? {} })
}

export const OTHERS = 50

/** Alerts of the day on which this one began, of its vehicle or of its driver, without itself. */
export async function alertsOfDay(alert: AlertDetail, of: 'vehicle' | 'driver'): Promise<Listed[]> {
  const who = alert[of]
  if (!who) return []
  const day = dayOf(alert.occurred_from)
  const page = await ask(
    api.GET('/v1/alerts', { params: { query: { [of]: who, from: startOf(day), to: startOf(addDays(day, 1)), limit: OTHERS + 1 } } }),
  )
  return page.items.filter((one) => one.id !== alert.id).slice(0, OTHERS)
}

export async function casesOf(alert: string): Promise<Schemas['CaseRow'][]> {
  return (await ask(api.GET('/v1/cases', { params: { query: { alert, limit: 20 } } }))).items
}

/** Draft a case; its id. The facts are filled in by the server from the alert. */
export async function draftCase(alert: AlertDetail, title: string): Promise<string> {
  const contents: Schemas['CaseContents'] = {
    title, alerts: [alert.id], level: alert.severity === 'high' ? 'urgent' : 'general', source: 'alert', facts: null, requirements: '请核实情况，书面回复并附相关凭证。',
    external_no: null, organisation: null, person: null, vehicle: null, driver: null, due_on: null, complaint: null,
  }
  return (await once('cases', contents, (key) => ask(api.POST('/v1/cases', { params: { header: { 'Idempotency-Key': key } }, body: contents })))).id
}

export async function dispositionCodes(): Promise<Schemas['DispositionCode'][]> {
  return (await ask(api.GET('/v1/disposition-codes'))).items.filter((one) => one.active)
}

export async function dispose(alert: AlertDetail, given: { id: string; code: string; note: string; person: string }): Promise<void> {
  await ask(
    api.POST('/v1/alerts/{id}/dispositions', {
      params: { path: { id: alert.id } }, body: { id: given.id, code: given.code, note: given.note, decided_by: given.person, version: alert.version },
    }),
  )
}

export async function confirmReceipt(alert: AlertDetail, person: string): Promise<void> {
  await ask(api.PUT('/v1/alerts/{id}/receipt', { params: { path: { id: alert.id } }, body: { version: alert.version, received_by: person } }))
}

export async function orderVersions(order: string): Promise<Schemas['ListedDispatchOrder'][]> {
  return (await ask(api.GET('/v1/dispatch-orders/{id}/versions', { params: { path: { id: order } } }))).items
}

export interface Neighbours {
  previous: string | null
  next: string | null
  place: number
  count: number
  /** Of the alert itself, as the list has it. */
  version: number
}

/** The alerts before and after this one in the list that was opened last, as far as it is loaded; null: it is in none. */
export function neighboursIn(queries: QueryClient, id: string): Neighbours | null {
  const lists = queries.getQueryCache().findAll({ queryKey: ['alerts'] }).sort((a, b) => Number(b.isActive()) - Number(a.isActive()) || b.state.dataUpdatedAt - a.state.dataUpdatedAt)
  for (const list of lists) {
    const pages = (list.state.data as { pages?: Array<{ items?: Array<{ id: string; version: number }> }> } | undefined)?.pages
    if (!Array.isArray(pages)) continue
    const versions = new Map(pages.flatMap((page) => (page.items ?? []).map((one) => [one.id, one.version])))
    const ids = [...versions.keys()]
    const place = ids.indexOf(id)
    if (place >= 0) return { previous: ids[place - 1] ?? null, next: ids[place + 1] ?? null, place: place + 1, count: ids.length, version: versions.get(id) ?? 0 }
  }
  return null
}
