// What a kind of records of the registry is made of: one table a kind (kinds.ts), which list, page and form read.
// The names are those of the API's schemas: one that the API does not have is an error of types.
import type { Schemas } from '@/api/client'

/** Chinese and English. */
export type Words = readonly [string, string]

export interface Bodies {
  organisations: Schemas['OrganisationBody']
  vehicles: Schemas['VehicleBody']
  terminals: Schemas['TerminalBody']
  drivers: Schemas['DriverBody']
  'fuel-cards': Schemas['FuelCardBody']
  'fuel-stations': Schemas['FuelStationBody']
  'dispatch-orders': Schemas['DispatchOrderBody']
  'fuel-transactions': Schemas['FuelTransactionBody']
  violations: Schemas['ViolationBody']
  'calendar-days': Schemas['CalendarDayBody']
  'clock-corrections': Schemas['ClockCorrectionBody']
}
export interface Rows {
  organisations: Schemas['ListedOrganisation']
  vehicles: Schemas['ListedVehicle']
  terminals: Schemas['ListedTerminal']
  drivers: Schemas['ListedDriver']
  'fuel-cards': Schemas['ListedFuelCard']
  'fuel-stations': Schemas['ListedFuelStation']
  'dispatch-orders': Schemas['ListedDispatchOrder']
  'fuel-transactions': Schemas['ListedFuelTransaction']
  violations: Schemas['ListedViolation']
  'calendar-days': Schemas['ListedCalendarDay']
  'clock-corrections': Schemas['ListedClockCorrection']
}
export type KindName = keyof Bodies & keyof Rows

export type FieldType =
  | 'text' | 'unit' | 'vehicle' | 'plate' | 'time' | 'day' | 'decimal' | 'number' | 'integer' | 'flag' | 'choice' | 'place' | 'places' | 'list'

export interface Field {
  name: string
  words: Words
  type: FieldType
  required?: boolean
  hint?: Words
  options?: Readonly<Record<string, Words>>
  /** What is left out stays as it is: emptied, it is sent as empty. */
  stays?: boolean
  /** Shown and not entered. */
  shown?: boolean
  /** Entered and not shown on the page of a record. */
  hidden?: boolean
}

export interface FilterField {
  name: string
  words: Words
  type: 'text' | 'plate' | 'choice' | 'day' | 'vehicle'
  options?: Readonly<Record<string, Words>>
  /** Of a day: the API wants the moment at which it begins ("start") or after which it is over ("end"); else the day itself. */
  moment?: 'start' | 'end'
}

export interface KindTable {
  name: KindName
  words: Words
  /** Its field that names the record to people; the id stands beside it. */
  title?: string
  fields: readonly Field[]
  columns: readonly { name: string; width: string }[]
  filters: readonly FilterField[]
  /** Columns that the list can be ordered by, besides the id. */
  orders?: readonly string[]
  /** The list is filtered by the tree of units with this filter. */
  tree?: 'organisation' | 'parent'
  /** The API says "purpose-needed" to some roles: reading is noted with its purpose. */
  personal?: boolean
  deletable?: boolean
  versions?: boolean
  /** What a PUT has to have besides the fields of the form, or it would be lost; and fields that are not to be sent again. */
  carried?: readonly string[]
  /** What a record is before it stands in a form. */
  forForm?: (row: Record<string, unknown>) => Record<string, unknown>
  /** Another address that reads files of others, row by row. */
  statement?: { path: string; words: Words }
}

type Named<K extends KindName> = (keyof Bodies[K] | keyof Rows[K]) & string
interface Given<K extends KindName> extends Omit<KindTable, 'name' | 'fields' | 'columns' | 'orders' | 'carried' | 'title'> {
  title?: Named<K>
  fields: readonly (Field & { name: Named<K> })[]
  columns: readonly (readonly [keyof Rows[K] & string, string])[]
  orders?: readonly (keyof Rows[K] & string)[]
  carried?: readonly (keyof Bodies[K] & string)[]
}

export function kindOf<K extends KindName>(name: K, given: Given<K>): KindTable {
  return { ...given, name, columns: given.columns.map(([field, width]) => ({ name: field, width })) }
}
