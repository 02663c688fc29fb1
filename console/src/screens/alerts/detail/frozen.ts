// Frozen evidence as the checks of the rules write it: plain JSON of integers and texts. What is read here is looked at before it is
// used: evidence of each version of a rule, also of releases before this page, is shown as far as it goes.

export type Frozen = Record<string, unknown>

export const object = (value: unknown): Frozen | null => (typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Frozen) : null)
export const objects = (value: unknown): Frozen[] => (Array.isArray(value) ? value.map(object).filter((one): one is Frozen => one !== null) : [])
export const number = (value: unknown): number | null => (typeof value === 'number' && Number.isFinite(value) ? value : null)
export const numbers = (value: unknown): number[] => (Array.isArray(value) ? value.filter((one): one is number => typeof one === 'number') : [])
export const text = (value: unknown): string | null => (typeof value === 'string' ? value : null)

/** What stands at "result.mileage_mm" or "silences.0.reports" of evidence; undefined: nothing. */
export function at(body: Frozen, path: string): unknown {
  let here: unknown = body
  for (const name of path.split('.')) {
    if (Array.isArray(here)) here = here[Number(name)]
    else here = object(here)?.[name]
  }
  return here
}

// After this no calendar helps; evidence writes "no end" as the largest int64.
const LAST_US = 4_102_444_800_000_000

/** Milliseconds since 1970 of microseconds; null: none, or "no end". */
export const moment = (us: unknown): number | null => (typeof us === 'number' && us > 0 && us < LAST_US ? us / 1000 : null)

export const DAY_US = 86_400_000_000
const CHINA_US = 8 * 3_600_000_000
/** The start of a day ("2026-03-02") in China, us. */
export const dayUs = (day: unknown): number | null => (typeof day === 'string' ? Date.parse(`${day}T00:00:00Z`) * 1000 - CHINA_US : null)
