// Files that the browser saves.

/** What a spreadsheet would take for a formula stands behind an apostrophe: the words may be a stranger's. Numbers stay as they are. */
const plain = (cell: string): string => (/^[=+\-@\t\r]/.test(cell) && !/^[+-]?\d+(\.\d+)?$/.test(cell) ? `'${cell}` : cell)
const quote = (cell: string): string => (/[",\t\r\n;]/.test(cell) ? `"${cell.replace(/"/g, '""')}"` : cell)

/** A file that Excel opens as UTF-8. */
export function written(rows: readonly (readonly string[])[]): string {
  return `\uFEFF${rows.map((row) => row.map((cell) => quote(plain(cell))).join(',')).join('\r\n')}\r\n`
}

/** Have the browser save a file. */
export function saveBlob(file: Blob, name: string): void {
  const address = URL.createObjectURL(file)
  const link = document.createElement('a')
  link.href = address
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(address), 60_000)
}

/** Have the browser save ``text``. */
export const save = (text: string, name: string, type = 'text/csv;charset=utf-8'): void => saveBlob(new Blob([text], { type }), name)
