// A record as texts of a form, and back. What was not touched goes back exactly as it came.
import { serverNow } from '@/text/now'
import { plainPlate, shownPlate } from '@/text/plates'
import { parseDay } from '@/text/days'
import { parseMoment, typedMoment } from '@/text/moments'
import { dayOf } from '@/text/time'

import type { Field, KindTable } from './kind'

export interface PlaceText {
  name: string
  lat: string
  lon: string
  datum: string
}
export type Value = string | boolean | PlaceText[]
export type Values = Record<string, Value>

const text = (value: unknown): string => (value === null || value === undefined ? '' : String(value))

function placeText(value: unknown): PlaceText {
  const place = (value ?? {}) as Record<string, unknown>
  return { name: text(place.name), lat: text(place.lat), lon: text(place.lon), datum: text(place.datum) }
}

export function entered(kind: KindTable): Field[] {
  return kind.fields.filter((field) => !field.shown)
}

/** The fields of a form for a record, or for a new one. */
export function valuesOf(kind: KindTable, row: Record<string, unknown> | null): Values {
  const given: Record<string, unknown> = row === null ? {} : (kind.forForm?.(row) ?? row)
  return Object.fromEntries(
    entered(kind).map((field): [string, Value] => {
      const value = given[field.name]
      switch (field.type) {
        case 'flag': return [field.name, value === undefined ? field.name === 'enabled' : value === true]
        case 'choice': return [field.name, text(value) || (row === null && field.required ? (Object.keys(field.options ?? {})[0] ?? '') : '')]
        case 'time': return [field.name, value ? typedMoment(String(value)) : '']
        case 'list': return [field.name, Array.isArray(value) ? value.join('\n') : '']
        case 'plate': return [field.name, shownPlate(text(value))]
        case 'place': return [field.name, value ? [placeText(value)] : []]
        case 'places': return [field.name, Array.isArray(value) ? value.map(placeText) : []]
        default: return [field.name, text(value)]
      }
    }),
  )
}

export type Wrong = 'required' | 'day' | 'time' | 'number' | 'integer'

function placeBody(place: PlaceText): Record<string, unknown> | null {
  if ([place.name, place.lat, place.lon].every((one) => one.trim() === '')) return null
  const degrees = (one: string): number | null => (one.trim() === '' ? null : Number(one))
  return { name: place.name.trim(), lat: degrees(place.lat), lon: degrees(place.lon), datum: place.datum || null }
}

function numbersWrong(places: PlaceText[]): boolean {
  return places.some((one) => [one.lat, one.lon].some((number) => number.trim() !== '' && !Number.isFinite(Number(number))))
}

/** One field as the API takes it: undefined = leave it out, which the API reads as empty. */
function bodyValue(field: Field, value: Value, today: string): { value: unknown } | { wrong: Wrong } {
  if (typeof value === 'boolean') return { value }
  if (Array.isArray(value)) {
    if (numbersWrong(value)) return { wrong: 'number' }
    const places = value.map(placeBody).filter((one) => one !== null)
    return { value: field.type === 'places' ? places : places[0] }
  }
  const plain = value.trim()
  if (plain === '') return field.required ? { wrong: 'required' } : { value: undefined }
  switch (field.type) {
    case 'day': {
      const day = parseDay(plain, today) ?? (/^\d{4}-\d{2}-\d{2}$/.test(plain) ? plain : null)
      return day === null ? { wrong: 'day' } : { value: day }
    }
    case 'time': {
      const moment = parseMoment(plain)
      return moment === null ? { wrong: 'time' } : { value: moment }
    }
    case 'integer': return /^[+-]?\d+$/.test(plain) ? { value: Number(plain) } : { wrong: 'integer' }
    case 'number': return Number.isFinite(Number(plain)) ? { value: Number(plain) } : { wrong: 'number' }
    case 'decimal': return /^-?\d+(\.\d+)?$/.test(plain) ? { value: plain } : { wrong: 'number' }
    case 'list': return { value: plain.split(/[\n;；]/).map((one) => one.trim()).filter(Boolean) }
    case 'plate': return { value: plainPlate(plain) }
    default: return { value: plain }
  }
}

const same = (a: Value | undefined, b: Value): boolean => JSON.stringify(a) === JSON.stringify(b)

/** The body of a PUT, or what is wrong with fields. ``row`` = as it was read, null = a new record. */
export function bodyOf(
  kind: KindTable, row: Record<string, unknown> | null, values: Values, today: string = dayOf(serverNow()),
): { body: Record<string, unknown>; wrong: Record<string, Wrong> } {
  const [body, wrong]: [Record<string, unknown>, Record<string, Wrong>] = [{}, {}]
  const given: Record<string, unknown> = row === null ? {} : (kind.forForm?.(row) ?? row)
  const before = row === null ? {} : valuesOf(kind, row)
  for (const name of kind.carried ?? []) if (given[name] !== undefined && given[name] !== null) body[name] = given[name]
  for (const field of entered(kind)) {
    const value = values[field.name]
    if (value === undefined) continue
    const touched = !same(before[field.name], value)
    const exact = given[field.name]
    // A moment keeps the parts of seconds that a field does not show.
    const found = row !== null && !touched && field.type === 'time' && exact ? { value: exact } : bodyValue(field, value, today)
    if (field.stays && touched && value === '' && row !== null) body[field.name] = ''
    else if ('wrong' in found) wrong[field.name] = found.wrong
    else if (found.value !== undefined) body[field.name] = found.value
  }
  if ('lat' in body || 'lon' in body) delete body.geometry
  return { body, wrong }
}

/** The errors of a refusal by field: the first part of a pointer, and what follows it. */
export function byField(errors: readonly { pointer?: string | null; message: string }[]): Record<string, { rest: string; message: string }[]> {
  const found: Record<string, { rest: string; message: string }[]> = {}
  for (const one of errors) {
    const [, name, ...rest] = (one.pointer ?? '').split('/')
    if (name) (found[name.replace(/~1/g, '/').replace(/~0/g, '~')] ??= []).push({ rest: rest.join('/'), message: one.message })
  }
  return found
}
