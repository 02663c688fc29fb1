// Which vehicles are played together, as the address says it: /tracks/FOCUS?with=A&with=B. Each keeps its place, and with it its colour and
// its sign, also while others come and go. Pure.

/** More than these nobody tells apart on a map. */
export const MOST = 6
const MOST_ID = 64

export interface Choice {
  /** The id in each place; '': free. */
  slots: string[]
  /** The one whose speeds, lists and files are shown; '': there is none at all. */
  focus: string
}

function trimmed(slots: readonly string[]): string[] {
  let end = slots.length
  while (end > 0 && slots[end - 1] === '') end--
  return slots.slice(0, end)
}

/** ``id``: of the path; ``given``: what stands under "with". Whatever somebody wrote there, ``id`` is among them, once, and there are at most MOST. */
export function choiceOf(id: string, given: unknown): Choice {
  const told = (Array.isArray(given) ? given : given === undefined || given === null ? [] : [given]).slice(0, MOST)
  const seen = new Set<string>()
  const slots = told.map((one: unknown) => {
    if (typeof one !== 'string' || one.length > MOST_ID || seen.has(one)) return ''
    seen.add(one)
    return one
  })
  if (id === '') return { slots: trimmed(slots), focus: slots.find((one) => one !== '') ?? '' }
  if (!seen.has(id)) {
    const free = slots.indexOf('')
    if (free >= 0) slots[free] = id
    else if (slots.length < MOST) slots.push(id)
    else slots[MOST - 1] = id
  }
  return { slots: trimmed(slots), focus: id }
}

export function chosenIds(choice: Choice): string[] {
  return choice.slots.filter((one) => one !== '')
}

/** One more, in the first free place; null: there is no room. Who is there already comes into focus. */
export function added(choice: Choice, id: string): Choice | null {
  if (choice.slots.includes(id)) return { ...choice, focus: id }
  const slots = [...choice.slots]
  const free = slots.indexOf('')
  if (free < 0 && slots.length >= MOST) return null
  if (free < 0) slots.push(id)
  else slots[free] = id
  return { slots, focus: choice.focus || id }
}

/** Another vehicle in the place of the one in focus. */
export function replaced(choice: Choice, id: string): Choice {
  if (choice.slots.includes(id) || choice.focus === '') return added(choice, id) ?? choice
  return { slots: choice.slots.map((one) => (one === choice.focus ? id : one)), focus: id }
}

export function removed(choice: Choice, id: string): Choice {
  const slots = trimmed(choice.slots.map((one) => (one === id ? '' : one)))
  return { slots, focus: choice.focus === id ? (slots.find((one) => one !== '') ?? '') : choice.focus }
}

/** What the address says of it: ``id`` of the path, and "with", which one vehicle alone has no need of. */
export function addressOf(choice: Choice): { id: string; with: string[] | undefined } {
  return { id: choice.focus, with: chosenIds(choice).length > 1 ? trimmed(choice.slots) : undefined }
}
