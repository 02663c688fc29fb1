// The time of now is the server's: a desktop's clock may be wrong, and a deadline must not move with it. Pure but for one number.

/** What the desktop's clock lacks to the server's, ms. */
let offset = 0
let known = false

/** A longer way there and back says too little about the time in between. */
const LONGEST_MS = 10_000
/** The server says whole seconds: what differs by less is none. */
const LEAST_MS = 1_000

/** Milliseconds since 1970 by the server's clock; by the desktop's until the server has said a time. */
export function serverNow(): number {
  return Date.now() + offset
}

/** A time that the desktop's clock gave, by the server's. */
export function serverTime(desktop: number): number {
  return desktop + offset
}

/** What the desktop's clock lacks, ms: more than 0, it is behind. */
export function clockOffset(): number {
  return offset
}

/**
 * The server has answered. ``date``: its header Date (whole seconds); ``sent``, ``received``: by the desktop's clock. The offset that holds now.
 */
export function heardServer(date: string | null, sent: number, received: number): number {
  const said = date === null ? NaN : Date.parse(date)
  const way = received - sent
  if (Number.isNaN(said) || way < 0 || way > LONGEST_MS) return offset
  // It was written at some time on the way, and its fraction of a second is not said.
  const found = said + 500 - (sent + way / 2)
  if (!known || Math.abs(found - offset) > LEAST_MS + way / 2) offset = found
  known = true
  return offset
}
