// 配件和工时 as people type them, and what they come to. Pure; integers only.
import type { Schemas } from '@/api/client'
import { fenOf, thousandths, thousandthsOf, wholeOf, yuan } from '@/text/amounts'

export type Bill = Required<Schemas['Bill']>
export interface PartTyped { name: string; count: string; price: string }
export interface LabourTyped { name: string; hours: string; rate: string }
export interface BillTyped { parts: PartTyped[]; labour: LabourTyped[] }

export const emptyPart = (): PartTyped => ({ name: '', count: '1', price: '' })
export const emptyLabour = (): LabourTyped => ({ name: '', hours: '', rate: '' })
/** One line of each, to begin with. */
export const emptyBill = (): BillTyped => ({ parts: [emptyPart()], labour: [emptyLabour()] })

const untouched = (line: PartTyped | LabourTyped): boolean =>
  'count' in line ? line.name.trim() === '' && line.price.trim() === '' : line.name.trim() === '' && line.hours.trim() === '' && line.rate.trim() === ''

/** Hours as minutes; null: no whole minutes. */
export function minutesOf(text: string): number | null {
  const milli = thousandthsOf(text)
  return milli !== null && milli > 0 && (milli * 60) % 1000 === 0 ? (milli * 60) / 1000 : null
}
/** What minutes cost at 分 an hour, half a 分 up: as office.vehicles.contents.labour_fen. */
export const labourFen = (minutes: number, rate: number): number => Math.floor((minutes * rate * 2 + 60) / 120)

/** The bill, with its sum; null: a line cannot be read, or there is none. Lines in which nothing stands are left out. */
export function billOf(typed: BillTyped): Bill | null {
  const parts = typed.parts.filter((line) => !untouched(line)).map((line) => ({ name: line.name.trim(), part_no: '', count: wholeOf(line.count) ?? 0, price_fen: fenOf(line.price) ?? -1, old_returned: false }))
  const labour = typed.labour.filter((line) => !untouched(line)).map((line) => ({ name: line.name.trim(), minutes: minutesOf(line.hours) ?? 0, rate_fen: fenOf(line.rate) ?? -1 }))
  if (parts.length + labour.length === 0) return null
  if (parts.some((one) => !one.name || one.count < 1 || one.price_fen < 0) || labour.some((one) => !one.name || one.minutes < 1 || one.rate_fen < 0)) return null
  const total_fen = parts.reduce((sum, one) => sum + one.count * one.price_fen, 0) + labour.reduce((sum, one) => sum + labourFen(one.minutes, one.rate_fen), 0)
  return { parts, labour, total_fen }
}

/** Minutes as hours: exact where they are a whole number of thousandths. */
export const hoursOf = (minutes: number): string => ((minutes * 1000) % 60 === 0 ? thousandths((minutes * 1000) / 60) : (minutes / 60).toFixed(3))

/** A bill as it stands in the fields, to go on from. */
export const typedBill = (bill: Bill): BillTyped => ({
  parts: [...bill.parts.map((one) => ({ name: one.name, count: String(one.count), price: yuan(one.price_fen) })), ...(bill.parts.length ? [] : [emptyPart()])],
  labour: [...bill.labour.map((one) => ({ name: one.name, hours: hoursOf(one.minutes), rate: yuan(one.rate_fen) })), ...(bill.labour.length ? [] : [emptyLabour()])],
})
