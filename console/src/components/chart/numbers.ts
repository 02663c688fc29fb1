// What charts and their tables show, apart from the page so that it can be tested.

export type Value = number | null | undefined

const STEPS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const

/** At most ``digits`` that count: 0.1234 -> "0.123", 12345.6 -> "12,346". */
function rounded(value: number, digits = 3): string {
  if (value === 0) return '0'
  const whole = Math.abs(value) >= 10 ** (digits - 1)
  return value.toLocaleString('en-US', whole ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: digits })
}

/** A number with its unit as people read it; "—" where it is not known, which is never 0. */
export function shown(value: Value, unit = ''): string {
  if (value === null || value === undefined || Number.isNaN(value)) return '—'
  if (unit === 'B') {
    const step = value < 1024 ? 0 : Math.min(STEPS.length - 1, Math.floor(Math.log(value) / Math.log(1024)))
    return `${rounded(value / 1024 ** step)} ${STEPS[step]}`
  }
  if (unit === 's' && value !== 0 && Math.abs(value) < 1) return `${rounded(value * 1000)} ms`
  const text = rounded(value, 4)
  return unit === '' ? text : `${text} ${unit}`
}

/** The moments of a series in seconds since 1970: where each step begins. */
export function moments(from: string, step: number, points: number): number[] {
  const first = Math.round(Date.parse(from) / 1000)
  return Array.from({ length: points }, (_, place) => first + place * step)
}

export interface Line {
  label: string
  values: readonly Value[]
}

/** The last value that is known, or null. */
export function newest(values: readonly Value[] | undefined): number | null {
  for (let place = (values?.length ?? 0) - 1; place >= 0; place -= 1) {
    const value = values?.[place]
    if (value !== null && value !== undefined) return value
  }
  return null
}

/** Whether nothing at all is known. */
export function unknown(lines: readonly Line[]): boolean {
  return lines.every((line) => newest(line.values) === null)
}

/** ``value`` of ``most`` as a part of a hundred, for a bar: something that is there is seen. */
export function share(value: number, most: number): number {
  if (value <= 0 || most <= 0) return 0
  return Math.max(1, Math.min(100, Math.round((value / most) * 100)))
}
