// What the live map asks of the API about commands to a vehicle.
import { api, ask, type Schemas } from '@/api/client'

export type Command = Schemas['CommandShown']

/** So many are shown; the newest first. */
export const SHOWN = 5
const OPEN = new Set<Command['state']>(['proposed', 'queued', 'sent', 'delivered'])

export function commandsOf(vehicle: string): Promise<Command[]> {
  return ask(api.GET('/v1/commands', { params: { query: { vehicle, limit: SHOWN } } })).then((page) => page.items)
}

/** ``key``: the same for every try of one command, so that a lost answer sends nothing twice. */
export function sendText(id: string, key: string, text: string, reason: string): Promise<Command> {
  return ask(api.POST('/v1/vehicles/{id}/commands', { params: { path: { id } }, body: { kind: 'text', key, text, reason, urgent: false, display: true, speak: true } }))
}

export function askPosition(id: string, key: string, reason: string): Promise<Command> {
  return ask(api.POST('/v1/vehicles/{id}/commands', { params: { path: { id } }, body: { kind: 'location', key, reason } }))
}

/** A name for one command that nobody else has. */
export function newKey(): string {
  return `console-${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 12)}`
}

/** Whether something may still happen to it. */
export function isOpen(command: Command): boolean {
  return OPEN.has(command.state) && command.ended_at === null
}

export function looks(command: Command): 'plain' | 'good' | 'care' | 'bad' {
  if (command.state === 'failed') return 'bad'
  if (command.state === 'expired') return 'care'
  if (command.state === 'answered' || command.state === 'delivered') return 'good'
  return 'plain'
}
