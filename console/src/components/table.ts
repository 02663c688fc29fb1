// What DataTable.vue shows of a list, apart from the page so that it can be tested.

export interface Column {
  /** Name of the slot ``cell-<key>``; without a slot the field of the row. */
  key: string
  title: string
  /** As in grid-template-columns, in em so that it grows with the letters: "8em", "minmax(12em, 1fr)". */
  width: string
  align?: 'right'
  /** false: left out where there is room for cards only. */
  card?: false
  /** The list can be ordered by it: the name that the API has for the order, and the direction that a first click asks for. */
  order?: { by: string; first: Direction }
}

export type Direction = 'asc' | 'desc'

export interface Sort {
  by: string
  direction: Direction
}

/** Each order in both directions, as it stands in the address: "occurred.desc". */
export const sortsOf = (orders: readonly string[]): string[] => orders.flatMap((by) => [`${by}.asc`, `${by}.desc`])

/** The order that the address names; ``usual`` where it names none. */
export function sortOf(text: string | undefined, usual: Sort): Sort {
  const [by, direction] = (text ?? '').split('.')
  return by && (direction === 'asc' || direction === 'desc') ? { by, direction } : usual
}

/** As it stands in the address; the usual order is not named. */
export const sortText = (sort: Sort, usual: Sort): string | undefined =>
  sort.by === usual.by && sort.direction === usual.direction ? undefined : `${sort.by}.${sort.direction}`

/** As the API is asked; nothing for the usual order. */
export function sortQuery<By extends string>(text: string | undefined): { order?: By; direction?: Direction } {
  if (text === undefined) return {}
  const { by, direction } = sortOf(text, { by: '', direction: 'desc' })
  return by ? { order: by as By, direction } : {}
}

/** What a click on the head of a column asks for: its first direction, and the other one where it is the order already. */
export function sortAfterClick(order: { by: string; first: Direction }, now: Sort | undefined): Sort {
  if (now?.by !== order.by) return { by: order.by, direction: order.first }
  return { by: order.by, direction: now.direction === 'asc' ? 'desc' : 'asc' }
}

/** What the columns need at least, in em: where there is less room the table is scrolled sideways. */
export function leastWidth(widths: readonly string[]): string {
  const sum = widths.reduce((total, width) => total + least(width), 0)
  return `${Math.round(sum * 10) / 10}em`
}

/** A telephone shows each row as a card: the columns below each other, none cut off at the side. */
export const NARROW = '(max-width: 720px)'
/** Height of a line of a card, and what is above and below all of them, px. */
export const CARD_LINE_PX = 24
export const CARD_AROUND_PX = 14

/** The em that a column needs at least. */
function least(width: string): number {
  return Number(/([\d.]+)em/.exec(width)?.[1] ?? 0)
}

export interface CardPlace {
  line: number
  lines: number
  /** It has the whole width; else the first or the second half. */
  whole: boolean
  second: boolean
}

/** Where each column stands in a card, null: left out. Two short ones share a line; long ones follow, with two lines each. */
export function cardPlaces(columns: readonly Column[]): { places: (CardPlace | null)[]; lines: number } {
  const isLong = (column: Column): boolean => least(column.width) >= 12 && column.width.includes('fr')
  const shown = columns.filter((column) => column.card !== false)
  const short = shown.filter((column) => !isLong(column))
  const long = shown.filter(isLong)
  const shortLines = Math.ceil(short.length / 2)
  const places = columns.map((column) => {
    if (column.card === false) return null
    if (isLong(column)) return { line: shortLines + 2 * long.indexOf(column), lines: 2, whole: true, second: false }
    const place = short.indexOf(column)
    return { line: Math.floor(place / 2), lines: 1, whole: short.length % 2 === 1 && place === short.length - 1, second: place % 2 === 1 }
  })
  return { places, lines: shortLines + 2 * long.length }
}

/** How many rows have come in above those that were there; null: it is another list. */
export function prepended(before: readonly string[], now: readonly string[]): number | null {
  const first = before[0]
  if (first === undefined || now.length === 0) return null
  const at = now.indexOf(first)
  if (at < 0) return null
  for (let k = 1; k < Math.min(5, before.length, now.length - at); k += 1) if (before[k] !== now[at + k]) return null
  return at
}

const BESIDE = 8

/** The rows [first, last) to draw: those that are seen and a few on each side. */
export function windowOf(top: number, height: number, rowHeight: number, count: number): { first: number; last: number } {
  const first = Math.max(0, Math.floor(top / rowHeight) - BESIDE)
  const last = Math.min(count, Math.ceil((top + height) / rowHeight) + BESIDE)
  return { first: Math.min(first, last), last }
}
