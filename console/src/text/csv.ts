// Comma-separated files: the one that somebody chose, read again to give back its wrong rows; and files to download.

/** UTF-8 where it is that, else what Chinese Excel writes. */
export function decoded(data: ArrayBuffer | Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(data)
  } catch {
    return new TextDecoder('gb18030').decode(data)
  }
}

/** The delimiter of the first line. */
export function delimiterOf(text: string): string {
  const end = text.search(/[\r\n]/)
  const head = end < 0 ? text : text.slice(0, end)
  const count = (mark: string): number => head.split(mark).length
  return [',', '\t', ';'].sort((a, b) => count(b) - count(a))[0] ?? ','
}

/** The rows; ``rows[0]`` is the row that a spreadsheet counts as 1. */
export function parsed(text: string, delimiter = delimiterOf(text)): string[][] {
  const rows: string[][] = []
  let row: string[] = []
  let cell = ''
  let quoted = false
  const plain = text.replace(/^\uFEFF/, '')
  for (let place = 0; place < plain.length; place += 1) {
    const letter = plain.charAt(place)
    if (quoted) {
      if (letter !== '"') cell += letter
      else if (plain.charAt(place + 1) === '"') {
        cell += '"'
        place += 1
      } else quoted = false
    } else if (letter === '"' && cell === '') quoted = true
    else if (letter === delimiter) {
      row.push(cell)
      cell = ''
    } else if (letter === '\n' || letter === '\r') {
      if (letter === '\r' && plain.charAt(place + 1) === '\n') place += 1
      rows.push([...row, cell])
      row = []
      cell = ''
    } else cell += letter
  }
  if (cell !== '' || row.length > 0) rows.push([...row, cell])
  return rows
}

const quote = (cell: string): string => (/[",\t\r\n;]/.test(cell) ? `"${cell.replace(/"/g, '""')}"` : cell)

/** A file that Excel opens as UTF-8. */
export function written(rows: readonly (readonly string[])[]): string {
  return `\uFEFF${rows.map((row) => row.map(quote).join(',')).join('\r\n')}\r\n`
}

/** Have the browser save ``text``. */
export function save(text: string, name: string, type = 'text/csv;charset=utf-8'): void {
  const address = URL.createObjectURL(new Blob([text], { type }))
  const link = document.createElement('a')
  link.href = address
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(address), 10_000)
}
