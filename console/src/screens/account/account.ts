// What everybody keeps of oneself: second factor, sessions, channels of messages, delegations.
import { api, ask, type Schemas } from '@/api/client'

export type Session = Schemas['AliveSession']
export type Channel = Schemas['ChannelShown']
export type Letter = Schemas['Letter']
const at = (id: string) => ({ params: { path: { id } } })

export const enrol = (password: string) => ask(api.POST('/v1/session/totp', { body: { password } }))
export const confirmTotp = async (code: string) => (await ask(api.POST('/v1/session/totp:confirm', { body: { code } }))).recovery_codes
export const disableTotp = (password: string, code: string) => ask(api.POST('/v1/session/totp:disable', { body: { password, code } }))
export const newRecoveryCodes = async (code: string) => (await ask(api.POST('/v1/session/recovery-codes', { body: { code } }))).recovery_codes

export const sessions = async () => (await ask(api.GET('/v1/sessions'))).items
export const endSession = (id: string) => ask(api.DELETE('/v1/sessions/{id}', at(id)))
export const endOthers = () => ask(api.DELETE('/v1/sessions'))

export const messageSettings = () => ask(api.GET('/v1/session/message-channels'))
export const addChannel = (kind: 'email' | 'webhook', address: string) => ask(api.POST('/v1/session/message-channels', { body: { kind, address } }))
export const confirmChannel = (id: string, code: string) => ask(api.POST('/v1/session/message-channels/{id}/confirm', { ...at(id), body: { code } }))
export const anotherCode = (id: string) => ask(api.POST('/v1/session/message-channels/{id}/code', at(id)))
export const switchChannel = (id: string, enabled: boolean) => ask(api.PUT('/v1/session/message-channels/{id}', { ...at(id), body: { enabled } }))
export const dropChannel = (id: string) => ask(api.DELETE('/v1/session/message-channels/{id}', at(id)))
export const setQuiet = (from: string | null, to: string | null) => ask(api.PUT('/v1/session/quiet-hours', { body: { from, to } }))
export const letters = async () => (await ask(api.GET('/v1/session/message-letters', { params: { query: { limit: 50 } } }))).items
export const resendLetter = (letter: number) => ask(api.POST('/v1/session/message-letters/{letter}/resend', { params: { path: { letter } } }))

export const delegate = (body: Record<string, unknown>) => ask(api.POST('/v1/session/delegations', { body: body as unknown as Schemas['OwnDelegation'] }))
export const endDelegation = (id: number) => ask(api.DELETE('/v1/session/delegations/{id}', at(String(id))))
