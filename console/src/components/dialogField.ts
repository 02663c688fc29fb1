// The fields of a FormDialog, what was entered as the API takes it, and what the API has as it stands in the fields.
import { fenOf, thousandths, thousandthsOf, wholeOf, yuan } from '@/text/amounts'
import { dayWithYear } from '@/text/days'
import { parseMoment } from '@/text/moments'
import { plainPlate } from '@/text/plates'

export interface DialogField {
  name: string
  label: string
  /** ``day``: with its year; ``money``: yuan as integer 分; ``thousandths``: km as m, litres as ml, kW as W; ``whole``: a count. */
  type?: 'text' | 'long' | 'password' | 'moment' | 'choice' | 'choices' | 'unit' | 'units' | 'flag' | 'day' | 'money' | 'thousandths' | 'whole' | 'plate'
  options?: readonly { value: string; label: string }[]
  required?: boolean
  hint?: string
  /** Nothing entered: leave it out instead of saying null. */
  leftOut?: boolean
  /** Of units: others than those that are seen may be named, by their id. */
  others?: boolean
}
export type Entered = Record<string, string | boolean | string[]>
export type Flaw = 'missing' | 'moment' | 'day' | 'money' | 'thousandths' | 'whole'

/** How what is typed is read; null: it cannot be. What is not here is taken as it is. */
const READ: Partial<Record<NonNullable<DialogField['type']>, (text: string) => string | number | null>> = {
  moment: parseMoment, day: dayWithYear, money: fenOf, thousandths: thousandthsOf, whole: wholeOf, plate: plainPlate,
}
export const SEVERAL: readonly DialogField['type'][] = ['choices', 'units']

/** The body, and the fields that cannot be read. What is empty is null. */
export function enteredBody(fields: readonly DialogField[], values: Entered): { body: Record<string, unknown>; flaws: Record<string, Flaw> } {
  const [body, flaws]: [Record<string, unknown>, Record<string, Flaw>] = [{}, {}]
  for (const field of fields) {
    const value = values[field.name]
    if (typeof value === 'boolean') body[field.name] = value
    else if (Array.isArray(value)) {
      if (value.length) body[field.name] = value
      else if (field.required) flaws[field.name] = 'missing'
      else if (!field.leftOut) body[field.name] = null
    } else {
      const plain = field.type === 'password' ? (value ?? '') : (value ?? '').trim()
      const read = field.type && plain !== '' ? READ[field.type] : undefined
      const found = read ? read(plain) : plain
      if (plain === '' && field.required) flaws[field.name] = 'missing'
      else if (found === null) flaws[field.name] = field.type as Flaw
      else if (plain !== '') body[field.name] = found
      else if (!field.leftOut) body[field.name] = null
    }
  }
  return { body, flaws }
}

/** The fields as they stand for what the API has. */
export function enteredOf(fields: readonly DialogField[], row: Readonly<Record<string, unknown>>): Entered {
  const text = (field: DialogField, value: unknown): string => {
    if (value === null || value === undefined) return ''
    if (typeof value === 'number') return field.type === 'money' ? yuan(value) : field.type === 'thousandths' ? thousandths(value) : String(value)
    return typeof value === 'string' ? value : ''
  }
  return Object.fromEntries(fields.map((field) => {
    const value = row[field.name]
    return [field.name, typeof value === 'boolean' ? value : Array.isArray(value) ? value.map(String) : text(field, value)]
  }))
}
