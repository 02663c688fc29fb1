// What DataTable.vue shows of a list, apart from the page so that it can be tested.

export interface Column {
  /** Name of the slot ``cell-<key>``; without a slot the field of the row. */
  key: string
  title: string
  /** As in grid-template-columns, in em so that it grows with the letters: "8em", "minmax(12em, 1fr)". */
  width: string
  align?: 'right'
}

/** What the columns need at least, in em: where there is less room the table is scrolled sideways. */
export function leastWidth(widths: readonly string[]): string {
  const sum = widths.reduce((total, width) => total + Number(/([\d.]+)em/.exec(width)?.[1] ?? 0), 0)
  return `${Math.round(sum * 10) / 10}em`
}

const BESIDE = 8

/** The rows [first, last) to draw: those that are seen and a few on each side. */
export function windowOf(top: number, height: number, rowHeight: number, count: number): { first: number; last: number } {
  const first = Math.max(0, Math.floor(top / rowHeight) - BESIDE)
  const last = Math.min(count, Math.ceil((top + height) / rowHeight) + BESIDE)
  return { first: Math.min(first, last), last }
}
