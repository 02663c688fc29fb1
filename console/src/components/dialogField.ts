// The fields of a FormDialog, and what was entered as the API takes it.
import { parseMoment } from '@/text/moments'

export interface DialogField {
  name: string
  label: string
  type?: 'text' | 'long' | 'password' | 'moment' | 'choice' | 'choices' | 'unit' | 'flag'
  options?: readonly { value: string; label: string }[]
  required?: boolean
  hint?: string
  /** Nothing entered: leave it out instead of saying null. */
  leftOut?: boolean
}
export type Entered = Record<string, string | boolean | string[]>
export type Flaw = 'missing' | 'moment'

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
      const moment = field.type === 'moment' && plain !== '' ? parseMoment(plain) : undefined
      if (plain === '' && field.required) flaws[field.name] = 'missing'
      else if (moment === null) flaws[field.name] = 'moment'
      else if (plain !== '') body[field.name] = moment ?? plain
      else if (!field.leftOut) body[field.name] = null
    }
  }
  return { body, flaws }
}
