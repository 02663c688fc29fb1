// What the screens of drivers ask of the API, and what they have in common.
import { api, ask, type Schemas } from '@/api/client'
import type { Page } from '@/composables/usePagedList'

export type DutyDay = Schemas['DutyDay']
export type Duty = Schemas['DriverDuty']
export type OnDay = Schemas['DriverOnDay']
export type Shift = Schemas['DutyShift']
export type LeaveRow = Schemas['LeaveRow']
export type LeaveView = Schemas['LeaveView']
export type LeaveKind = Schemas['LeaveKind']
export type LeaveState = Schemas['LeaveState']
export type Sheet = Schemas['DriverSheet']
export type SheetLine = Schemas['DriverSheetLine']
export type Objection = Schemas['DriverObjection']
export type SheetRow = Schemas['DriverSheetRow']
export type FactShown = Schemas['DriverFactShown']

export const LEAVE_KINDS = ['sick', 'personal', 'annual', 'rest', 'duty', 'other'] as const satisfies readonly LeaveKind[]
export const LEAVE_STATES = ['asked', 'approved', 'rejected', 'cancelled', 'ended'] as const satisfies readonly LeaveState[]
export const HAND_FACTS = ['accident', 'complaint', 'inspection', 'unclean', 'detour'] as const
export const CLASSES = ['A1', 'A2', 'A3', 'B1', 'B2', 'C1', 'C2', 'C3', 'C4', 'C5', 'C6', 'D', 'E', 'F', 'M'] as const

// --- when they work

/** The days ``from`` to ``to`` of a driver. */
export const duty = (id: string, from: string, to: string): Promise<Duty> =>
  ask(api.GET('/v1/drivers/{id}/duty', { params: { path: { id }, query: { from, to } } }))

/** A driver with the seven days of a week. */
export interface WeekOf extends Pick<OnDay, 'driver' | 'name' | 'organisation'> {
  days: (OnDay | undefined)[]
}

/** A page of the drivers of a unit, each with the ``days`` of a week: the list of each day has the same drivers in the same order, and the same cursor. */
export async function weekPage(days: readonly string[], organisation: string | undefined, cursor: string | undefined, limit: number): Promise<Page<WeekOf>> {
  const pages = await Promise.all(days.map((day) => ask(api.GET('/v1/driver-duty', { params: { query: { day, organisation, cursor, limit } } }))))
  const found = new Map<string, WeekOf>()
  pages.forEach((page, place) => {
    for (const one of page.items) {
      const row = found.get(one.driver) ?? { driver: one.driver, name: one.name, organisation: one.organisation, days: days.map(() => undefined) }
      row.days[place] = one
      found.set(one.driver, row)
    }
  })
  return { items: [...found.values()], next: pages[0]?.next ?? null }
}

export const enterWeek = (id: string, body: Schemas['RosterWeek']): Promise<Duty> => ask(api.POST('/v1/drivers/{id}/roster-weeks', { params: { path: { id } }, body }))
export const enterDays = (id: string, body: Schemas['RosterDays']): Promise<Duty> => ask(api.POST('/v1/drivers/{id}/roster-days', { params: { path: { id } }, body }))

// --- leave

export interface LeaveFilters {
  state?: string
  organisation?: string
  driver?: string
}
export const leavePage = (filters: LeaveFilters, cursor: string | undefined, limit: number): Promise<Page<LeaveRow>> =>
  ask(api.GET('/v1/driver-leaves', { params: { query: { state: filters.state as LeaveState | undefined, organisation: filters.organisation, driver: filters.driver, cursor, limit } } }))
export const leave = (id: string): Promise<LeaveView> => ask(api.GET('/v1/driver-leaves/{id}', { params: { path: { id } } }))
export const askLeave = (body: Schemas['LeaveNew']): Promise<LeaveView> => ask(api.POST('/v1/driver-leaves', { body }))
/** Numbers of the dispatches that need another driver: those that have him while he is away. */
export async function stepLeave(id: string, step: 'approve' | 'reject' | 'cancel', version: number, reason: string): Promise<string[]> {
  const path = { params: { path: { id } }, body: { version, reason } }
  const done = await (step === 'approve' ? ask(api.POST('/v1/driver-leaves/{id}:approve', path)) : step === 'reject' ? ask(api.POST('/v1/driver-leaves/{id}:reject', path)) : ask(api.POST('/v1/driver-leaves/{id}:cancel', path)))
  return done.dispatches
}

// --- sheets

export const sheet = (id: string, period: string): Promise<Sheet> => ask(api.GET('/v1/drivers/{id}/sheets/{period}', { params: { path: { id, period } } }))
export const documentOf = (id: string, period: string): string => `/v1/drivers/${encodeURIComponent(id)}/sheets/${encodeURIComponent(period)}/document`
export const sheetPage = (filters: { period: string; organisation?: string | undefined }, cursor: string | undefined, limit: number): Promise<Page<SheetRow>> =>
  ask(api.GET('/v1/driver-sheets', { params: { query: { period: filters.period, organisation: filters.organisation, cursor, limit } } }))
export const issueSheet = (id: string, period: string, body: Schemas['DriverSheetIssue']): Promise<Sheet> =>
  ask(api.POST('/v1/drivers/{id}/sheets/{period}:issue', { params: { path: { id, period } }, body }))
export const objectTo = (id: string, period: string, line: string, reason: string): Promise<Sheet> =>
  ask(api.POST('/v1/drivers/{id}/sheets/{period}/objections', { params: { path: { id, period } }, body: { line, reason } }))
export const decideObjection = (id: string, upheld: boolean, reason: string): Promise<Sheet> =>
  ask(api.POST('/v1/driver-objections/{id}:decide', { params: { path: { id } }, body: { upheld, reason } }))

// --- one driver

export const facts = async (id: string, from: string, to: string): Promise<FactShown[]> =>
  (await ask(api.GET('/v1/drivers/{id}/facts', { params: { path: { id }, query: { from, to } } }))).items
export const enterFact = (id: string, body: Schemas['DriverFactNew']): Promise<FactShown> => ask(api.POST('/v1/drivers/{id}/facts', { params: { path: { id } }, body }))
export const voidFact = (id: string, reason: string): Promise<FactShown> => ask(api.POST('/v1/driver-facts/{id}:void', { params: { path: { id } }, body: { reason } }))
export const licences = async (id: string): Promise<Schemas['VehiclePaper'][]> => (await ask(api.GET('/v1/drivers/{id}/licences', { params: { path: { id } } }))).items
export const enterLicence = (id: string, body: Schemas['DriverLicenceNew']): Promise<unknown> => ask(api.POST('/v1/drivers/{id}/licences', { params: { path: { id } }, body }))
export const voidPaper = (id: string, reason: string): Promise<unknown> => ask(api.POST('/v1/vehicle-papers/{id}:void', { params: { path: { id } }, body: { reason } }))
export const account = (id: string): Promise<Schemas['DriverAccount']> => ask(api.GET('/v1/drivers/{id}/account', { params: { path: { id } } }))
export const setAccount = (id: string, user: string): Promise<unknown> => ask(api.PUT('/v1/drivers/{id}/account', { params: { path: { id } }, body: { user } }))
export const dropAccount = (id: string): Promise<unknown> => ask(api.DELETE('/v1/drivers/{id}/account', { params: { path: { id } } }))
export const overtime = (id: string, from: string, to: string): Promise<Schemas['DriverOvertime']> =>
  ask(api.GET('/v1/drivers/{id}/overtime', { params: { path: { id }, query: { from, to } } }))
export const driving = (id: string, from: string, to: string): Promise<Schemas['DriverDriving']> =>
  ask(api.GET('/v1/drivers/{id}/driving', { params: { path: { id }, query: { from, to } } }))

/** Which driver the caller is, as far as his drives or his leave say so; undefined: they do not. ``onlyHis``: he sees no leave of others. */
export async function ownDriver(onlyHis: boolean): Promise<string | undefined> {
  const drives = await ask(api.GET('/v1/dispatches', { params: { query: { mine: true, limit: 1 } } }))
  const driven = drives.items[0]?.driver
  if (driven || !onlyHis) return driven ?? undefined
  return (await leavePage({}, undefined, 1)).items[0]?.driver
}

/** Who a driver is; ``purpose``: what it is read for, where a role must say so. */
export const person = (id: string, purpose?: string): Promise<Schemas['DriverBody']> =>
  ask(api.GET('/v1/drivers/{id}', { params: { path: { id }, query: purpose ? { purpose } : {} } })) as Promise<Schemas['DriverBody']>
