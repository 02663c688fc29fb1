// Server-sent events (the HTML standard, 9.2) out of pieces that may end anywhere. EventSource tells neither the status of a refusal nor
// that bytes have come; and it does not say when a proxy keeps them back.

export interface ServerEvent {
  /** The last id up to and with this one. */
  id: string
  event: string
  data: string
}

/** A line of the stream is no longer than this: an alert with its longest texts is some 20 kB. */
const MOST = 4 * 1024 * 1024

export class EventCutter {
  private readonly decoder = new TextDecoder('utf-8')
  private rest = ''
  private id = ''
  private event = ''
  private data: string[] = []
  private size = 0

  /** The events that are whole with ``piece``, also those that only carry an id. Throws RangeError for a line without end. */
  push(piece: Uint8Array): ServerEvent[] {
    const found: ServerEvent[] = []
    const lines = (this.rest + this.decoder.decode(piece, { stream: true })).split(/\r\n|\n|\r(?!$)/)
    this.rest = lines.pop() ?? ''
    if (this.rest.length + this.size > MOST) throw new RangeError('an event without end')
    for (const line of lines) {
      if (line === '') {
        found.push({ id: this.id, event: this.event || 'message', data: this.data.join('\n') })
        this.event = ''
        this.data = []
        this.size = 0
        continue
      }
      const at = line.indexOf(':')
      const name = at < 0 ? line : line.slice(0, at)
      const value = at < 0 ? '' : line.slice(at + 1).replace(/^ /, '')
      if (name === 'id') this.id = value
      else if (name === 'event') this.event = value
      else if (name === 'data') {
        this.data.push(value)
        this.size += value.length
      }
    }
    return found
  }
}
