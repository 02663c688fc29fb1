// What differs between a form and the record as somebody else has left it meanwhile.
export type Side = 'mine' | 'theirs'

export interface Difference {
  name: string
  label: string
  /** As people read it. */
  mine: string
  theirs: string
  /** The form has it as it was opened: only the other one has changed it. */
  untouched: boolean
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a ?? null) === JSON.stringify(b ?? null)

/** Of ``names`` those that are not the same on both sides. ``opened``: as the form began; ``text``: a value as people read it. */
export function differences(
  names: readonly string[], opened: Readonly<Record<string, unknown>>, mine: Readonly<Record<string, unknown>>, theirs: Readonly<Record<string, unknown>>,
  label: (name: string) => string, text: (name: string, value: unknown) => string,
): Difference[] {
  return names.filter((name) => !same(mine[name], theirs[name])).map((name) => ({
    name, label: label(name), mine: text(name, mine[name]), theirs: text(name, theirs[name]), untouched: same(opened[name], mine[name]),
  }))
}

/** The form with what was chosen; what differs on neither side stays. */
export function merged<T extends Readonly<Record<string, unknown>>>(mine: T, theirs: T, taken: Readonly<Record<string, Side>>): T {
  const chosen = Object.entries(taken).filter(([, side]) => side === 'theirs').map(([name]) => [name, theirs[name]])
  return { ...mine, ...(Object.fromEntries(chosen) as Partial<T>) }
}
