// Subscriptions of the feed and their webhooks, as the API has them.
import { api, ask, type Schemas } from '@/api/client'
import { ApiProblem } from '@/api/problem'
import type { Page } from '@/composables/usePagedList'

export type Delivery = Schemas['DeliveryShown']
export const DELIVERY_STATES = ['waiting', 'delivered', 'dead', 'withheld'] as const
const of = (name: string) => ({ params: { path: { name } } })

export const subscriptions = async () => (await ask(api.GET('/v1/subscriptions'))).items
export const subscription = (name: string) => ask(api.GET('/v1/subscriptions/{name}', of(name)))
export const putSubscription = (name: string, body: Record<string, unknown>) =>
  ask(api.PUT('/v1/subscriptions/{name}', { ...of(name), body: body as unknown as Schemas['SubscriptionBody'] }))
export const dropSubscription = (name: string) => ask(api.DELETE('/v1/subscriptions/{name}', of(name)))

/** null: it has none. */
export async function webhook(name: string): Promise<Schemas['WebhookShown'] | null> {
  try {
    return await ask(api.GET('/v1/subscriptions/{name}/webhook', of(name)))
  } catch (error) {
    if (error instanceof ApiProblem && error.status === 404) return null
    throw error
  }
}
export const putWebhook = (name: string, url: string, enabled: boolean) =>
  ask(api.PUT('/v1/subscriptions/{name}/webhook', { ...of(name), body: { url, enabled } })) as Promise<{ secret?: string | null }>
export const dropWebhook = (name: string) => ask(api.DELETE('/v1/subscriptions/{name}/webhook', of(name)))
export const rotate = (name: string) => ask(api.POST('/v1/subscriptions/{name}/webhook/secret', { ...of(name), body: { keep_old_s: 86_400 } }))
export const testWebhook = (name: string) => ask(api.POST('/v1/subscriptions/{name}/webhook/test', of(name)))
export const deliveryPage = (name: string, state: string | undefined, cursor: string | undefined, limit: number): Promise<Page<Delivery>> =>
  ask(api.GET('/v1/subscriptions/{name}/webhook/deliveries', { params: { path: { name }, query: { cursor, limit, state: state as Delivery['state'] | undefined } } }))
export const deliveryOf = (name: string, delivery: number) =>
  ask(api.GET('/v1/subscriptions/{name}/webhook/deliveries/{delivery}', { params: { path: { name, delivery } } }))
export const resend = (name: string, delivery: number) =>
  ask(api.POST('/v1/subscriptions/{name}/webhook/deliveries/{delivery}/resend', { params: { path: { name, delivery } } }))
