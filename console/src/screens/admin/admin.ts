// What the administration asks of the API.
import { api, ask, type Schemas } from '@/api/client'
import type { Page } from '@/composables/usePagedList'
import { addDays, startOf } from '@/text/time'

export type User = Schemas['UserShown']
export type UserWithRoles = Schemas['UserWithRoles']
export type Client = Schemas['ClientShown']
export type Audit = Schemas['AuditEntry']
export type Failure = Schemas['Failure']
export type Role = Schemas['Role']

/** In the order of the office: who looks after it all first. */
export const ROLES: readonly Role[] = [
  'administrator', 'vehicle_office', 'office_head', 'unit_administrator', 'unit_head', 'approver', 'dispatcher', 'driver', 'applicant',
  'contractor', 'inspector', 'finance', 'auditor', 'secret_reader',
]
const at = (id: string) => ({ params: { path: { id } } })
type Given = Record<string, unknown>

export const userPage = (organisation: string | undefined, cursor: string | undefined, limit: number): Promise<Page<User>> =>
  ask(api.GET('/v1/users', { params: { query: { organisation, cursor, limit } } }))
export const userOf = (id: string): Promise<UserWithRoles> => ask(api.GET('/v1/users/{id}', at(id)))
export const makeUser = (body: Given) => ask(api.POST('/v1/users', { body: body as unknown as Schemas['NewUser'] }))
export const changeUser = (id: string, body: Given) => ask(api.PUT('/v1/users/{id}', { ...at(id), body: body as unknown as Schemas['UserBody'] }))
export const disableUser = (id: string) => ask(api.POST('/v1/users/{id}:disable', at(id)))
export const enableUser = (id: string) => ask(api.POST('/v1/users/{id}:enable', at(id)))
export const resetPassword = (id: string) => ask(api.POST('/v1/users/{id}:reset-password', at(id)))
export const resetTotp = (id: string) => ask(api.POST('/v1/users/{id}:reset-totp', at(id)))
export const signOutUser = (id: string) => ask(api.POST('/v1/users/{id}:sign-out', at(id)))
export const grantRole = (id: string, body: Given) => ask(api.POST('/v1/users/{id}/grants', { ...at(id), body: body as unknown as Schemas['GrantBody'] }))
export const takeRole = (id: number) => ask(api.DELETE('/v1/role-grants/{id}', at(String(id))))
export const delegateRole = (id: string, body: Given) => ask(api.POST('/v1/users/{id}/delegations', { ...at(id), body: body as unknown as Schemas['OwnDelegation'] }))
export const endDelegation = (id: number) => ask(api.DELETE('/v1/delegations/{id}', at(String(id))))

/** All of them: an instance has a few. */
export async function clients(): Promise<Client[]> {
  return (await ask(api.GET('/v1/clients', { params: { query: { limit: 1000 } } }))).items
}
export const makeClient = (body: Given) => ask(api.POST('/v1/clients', { body: body as unknown as Schemas['ClientBody'] }))
export const changeClient = (id: string, body: Given) => ask(api.PUT('/v1/clients/{id}', { ...at(id), body: body as unknown as Schemas['ClientBody'] }))
export const disableClient = (id: string) => ask(api.POST('/v1/clients/{id}:disable', at(id)))
export const enableClient = (id: string) => ask(api.POST('/v1/clients/{id}:enable', at(id)))
export const addSecret = (id: string, body: Given) => ask(api.POST('/v1/clients/{id}/secrets', { ...at(id), body: body as unknown as Schemas['SecretBody'] }))
export const revokeSecret = (id: string) => ask(api.DELETE('/v1/client-secrets/{id}', at(id)))

export const failurePage = (cursor: string | undefined, limit: number): Promise<Page<Failure>> =>
  ask(api.GET('/v1/message-failures', { params: { query: { cursor, limit } } }))
export const resendFailure = (id: number) => ask(api.POST('/v1/message-failures/{id}/resend', { params: { path: { id } } }))

export const AUDIT_FILTERS = ['who', 'action', 'kind', 'id', 'vehicle', 'organisation', 'from', 'to'] as const
export const ACTIONS = ['read', 'write', 'import', 'command'] as const
export function auditPage(filters: Partial<Record<(typeof AUDIT_FILTERS)[number], string>>, cursor: string | undefined, limit: number, purpose?: string): Promise<Page<Audit>> {
  const { from, to, action, ...same } = filters
  const query = {
    ...same, cursor, limit, purpose, action: action as (typeof ACTIONS)[number] | undefined,
    from: from ? startOf(from) : undefined, to: to ? startOf(addDays(to, 1)) : undefined,
  }
  return ask(api.GET('/v1/audit', { params: { query } }))
}

export const peers = async () => (await ask(api.GET('/v1/exchange/peers'))).items
export const peerState = (name: string) => ask(api.GET('/v1/exchange/peers/{name}', { params: { path: { name } } }))
export const refusals = async (name: string) => (await ask(api.GET('/v1/exchange/peers/{name}/refusals', { params: { path: { name }, query: { limit: 200 } } }))).items
export const counts = async () => (await ask(api.GET('/v1/exchange/counts'))).items

export const secretVehicles = async () => (await ask(api.GET('/v1/secret-vehicles'))).items
export const markSecret = (id: string, reason: string) => ask(api.POST('/v1/vehicles/{id}:mark-secret', { ...at(id), body: { reason } }))
export const liftSecret = (id: string, reason: string) => ask(api.POST('/v1/vehicles/{id}:lift-secret', { ...at(id), body: { reason } }))

export const codes = async () => (await ask(api.GET('/v1/disposition-codes'))).items
export const putCode = (code: string, body: Schemas['CodeBody']) => ask(api.PUT('/v1/disposition-codes/{code}', { params: { path: { code } }, body }))
