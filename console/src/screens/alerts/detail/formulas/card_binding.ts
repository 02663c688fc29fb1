// How long a card was bound to no official vehicle: by the days of the register, with the days of grace after a disposal.
import { DAY_US, dayUs, number, object, objects, type Frozen } from '../frozen'
import { floor, type Writer } from './parts'

const FOREVER = Number.MAX_SAFE_INTEGER

/** [from, to) of a binding in which its plate was that of no official vehicle, us; as the check of the rule finds them. */
export function wrongSpans(body: Frozen): Array<[number, number]> {
  const [binding, card] = [object(body.binding) ?? {}, object(body.card) ?? {}]
  const grace = (number(object(body.parameters)?.grace_days) ?? 0) * DAY_US
  const closed = card.status === 'active' ? null : dayUs(card.closed_on)
  const end = Math.min(number(binding.to_us) ?? FOREVER, closed ?? FOREVER)
  const allowed = objects(body.vehicles).map((one): [number, number] => {
    const [first, last] = [dayUs(one.registered_on), dayUs(one.disposed_on)]
    return [first ?? -FOREVER, last === null ? FOREVER : last + grace]
  })
  const spans: Array<[number, number]> = []
  let here = number(binding.from_us) ?? 0
  for (const [since, until] of [...allowed.sort((a, b) => a[0] - b[0] || a[1] - b[1]), [FOREVER, FOREVER] as const]) {
    if (here < Math.min(since, end)) spans.push([here, Math.min(since, end)])
    here = Math.max(here, until)
  }
  const asOf = number(body.as_of_us) ?? FOREVER
  return spans.filter(([from]) => from <= asOf)
}

export function cardBinding(w: Writer): void {
  const [asOf, since] = [number(w.body.as_of_us), number(w.body.unbound_since_us)]
  if (w.body.binding === null) {
    if (asOf !== null && since !== null) w.condition(w.computed('unbound_s', floor(asOf - since, 1_000_000), 's'), '>', graceSeconds(w))
    w.also(w.evidence('card_status', 'card.status', 'code'), w.limit('grace_days', 'd'))
    return
  }
  const none = { name: 'none', value: 0, unit: '1', source: 'computed' }
  w.condition(w.measure('spans'), '>', none)
  w.also(w.measure('wrong_s'), w.limit('grace_days', 'd'), w.computed('vehicles_of_plate', objects(w.body.vehicles).length, '1'), w.evidence('card_status', 'card.status', 'code'))
  const spans = wrongSpans(w.body)
  w.check('spans', spans.length)
  w.check('wrong_s', floor(spans.reduce((sum, [from, to]) => sum + to - from, 0), 1_000_000))
}

function graceSeconds(w: Writer) {
  const days = w.alert.parameters.grace_days
  return days === undefined ? null : w.computed('grace_days', days * 86_400, 's')
}
