// Frames of GET /v1/live/vehicles (docs/live-map.md): cut the answer into frames, and keep what is known of each vehicle. The tests
// read the same bytes as the program that writes them (tests/vectors/live_frames.json).

export const KIND = { snapshot: 1, delta: 2, heartbeat: 3, end: 4 } as const
export const FLAG = { accKnown: 1, accOn: 2, located: 4, alarm: 8, stored: 16, gone: 32 } as const
export const UNKNOWN = 255
const HEADER = 48
const DEFLATED = 1
const STALE = 2
/** Nothing that the server sends is longer: 100,000 vehicles in full are 2 MB. */
const MOST_BYTES = 64 * 1024 * 1024

export interface Frame {
  kind: number
  stale: boolean
  seq: number
  vehicles: number
  full: number
  changed: number
  step: number
  nowMs: number
  epoch: number
  deflated: boolean
  body: Uint8Array
}

/** The stream cannot be read on: it is to be opened again. */
export class BrokenStream extends Error {}

/** Cuts pieces of an answer, which may end anywhere, into frames. */
export class FrameCutter {
  private rest = new Uint8Array(0)

  /** The frames that are whole with ``piece``. Throws BrokenStream. */
  push(piece: Uint8Array): Frame[] {
    let data = piece
    if (this.rest.length) {
      data = new Uint8Array(this.rest.length + piece.length)
      data.set(this.rest)
      data.set(piece, this.rest.length)
    }
    const frames: Frame[] = []
    let at = 0
    while (data.length - at >= HEADER) {
      const view = new DataView(data.buffer, data.byteOffset + at, HEADER)
      if (view.getUint32(0, false) !== 0x47434c56 || view.getUint8(4) !== 1) throw new BrokenStream('no frame')
      const length = view.getUint32(28, true)
      if (length > MOST_BYTES) throw new BrokenStream('too long')
      if (data.length - at < HEADER + length) break
      const flags = view.getUint16(6, true)
      frames.push({
        kind: view.getUint8(5),
        stale: (flags & STALE) !== 0,
        deflated: (flags & DEFLATED) !== 0,
        seq: view.getUint32(8, true),
        vehicles: view.getUint32(12, true),
        full: view.getUint32(16, true),
        changed: view.getUint32(20, true),
        step: view.getUint32(24, true),
        nowMs: view.getFloat64(32, true),
        epoch: view.getFloat64(40, true),
        body: data.slice(at + HEADER, at + HEADER + length),
      })
      at += HEADER + length
    }
    this.rest = data.slice(at)
    return frames
  }
}

/** The frame with its body as it was before it was deflated. */
export async function inflated(frame: Frame): Promise<Frame> {
  if (!frame.deflated) return frame
  const stream = new DecompressionStream('deflate')
  const writer = stream.writable.getWriter()
  // A body that is spoilt refuses both; the reading below tells it.
  writer.write(frame.body as BufferSource).catch(() => undefined)
  writer.close().catch(() => undefined)
  const body = new Uint8Array(await new Response(stream.readable).arrayBuffer())
  return { ...frame, deflated: false, body }
}

/** Reads columns one after the other. */
class Columns {
  private at = 0

  constructor(private readonly data: Uint8Array) {}

  private take(bytes: number): number {
    const from = this.at
    this.at += bytes
    if (this.at > this.data.length) throw new BrokenStream('too short')
    return from
  }

  bytes(count: number): Uint8Array {
    const from = this.take(count)
    return this.data.subarray(from, from + count)
  }

  signed(count: number): Int32Array {
    return new Int32Array(this.words(count))
  }

  unsigned(count: number): Uint32Array {
    return new Uint32Array(this.words(count))
  }

  /** Numbers of 32 bits, where they may be read as such: every desktop that we know of is little-endian as well. */
  private words(count: number): ArrayBuffer {
    const from = this.take(4 * count)
    const copy = new Uint8Array(4 * count)
    copy.set(this.data.subarray(from, from + 4 * count))
    return copy.buffer
  }

  end(): void {
    if (this.at !== this.data.length) throw new BrokenStream('too long')
  }
}

/** What is known of the vehicles, by their index in the roster. */
export class LiveTable {
  vehicles = 0
  seq: number | null = null
  epoch = -1
  /** In 1e-6 degree. */
  step = 1
  stale = true
  nowMs = 0
  present = new Uint8Array(0)
  /** In steps. */
  lon = new Int32Array(0)
  lat = new Int32Array(0)
  /** Seconds since 1970 UTC. */
  fix = new Uint32Array(0)
  /** km/h; 255: not known. */
  speed = new Uint8Array(0)
  /** 2 degrees; 255: not known. */
  direction = new Uint8Array(0)
  flags = new Uint8Array(0)

  /** Takes a frame (inflated) that is no end. Throws BrokenStream when one is missing or makes no sense. */
  take(frame: Frame): void {
    if (frame.deflated || frame.kind === KIND.end) throw new BrokenStream('not to be taken')
    if (frame.kind === KIND.snapshot) this.begin(frame)
    else if (this.seq === null || frame.seq !== (this.seq + 1) >>> 0 || frame.epoch !== this.epoch || frame.vehicles !== this.vehicles) {
      throw new BrokenStream('a gap')
    }
    this.seq = frame.seq
    this.step = frame.step
    this.stale = frame.stale
    this.nowMs = frame.nowMs
    const body = new Columns(frame.body)
    const [index, lon, lat, fix] = [body.unsigned(frame.full), body.signed(frame.full), body.signed(frame.full), body.unsigned(frame.full)]
    const [speed, direction, flags] = [body.bytes(frame.full), body.bytes(frame.full), body.bytes(frame.full)]
    if (frame.changed > 0) this.change(frame, body)
    for (let k = 0; k < frame.full; k++) {
      const one = index[k] as number
      if (one >= this.vehicles) throw new BrokenStream('no such vehicle')
      this.present[one] = (flags[k] as number) & FLAG.gone ? 0 : 1
      this.lon[one] = lon[k] as number
      this.lat[one] = lat[k] as number
      this.fix[one] = fix[k] as number
      this.speed[one] = speed[k] as number
      this.direction[one] = direction[k] as number
      this.flags[one] = flags[k] as number
    }
    body.end()
  }

  private begin(frame: Frame): void {
    this.vehicles = frame.vehicles
    this.epoch = frame.epoch
    this.present = new Uint8Array(frame.vehicles)
    this.lon = new Int32Array(frame.vehicles)
    this.lat = new Int32Array(frame.vehicles)
    this.fix = new Uint32Array(frame.vehicles)
    this.speed = new Uint8Array(frame.vehicles)
    this.direction = new Uint8Array(frame.vehicles)
    this.flags = new Uint8Array(frame.vehicles)
  }

  private change(frame: Frame, body: Columns): void {
    const n = frame.changed
    const which = body.bytes(Math.ceil(frame.vehicles / 8))
    const [lon, lat, age] = [body.bytes(2 * n), body.bytes(2 * n), body.bytes(2 * n)]
    const [speed, direction, flags] = [body.bytes(n), body.bytes(n), body.bytes(n)]
    const now = Math.floor(frame.nowMs / 1000)
    // A number of 16 bits with a sign: its low byte stands in the first half, its high byte in the second.
    const pair = (column: Uint8Array, k: number): number => ((((column[n + k] as number) << 8) | (column[k] as number)) << 16) >> 16
    let k = 0
    for (let one = 0; one < frame.vehicles; one++) {
      if ((((which[one >> 3] as number) >> (one & 7)) & 1) === 0) continue
      if (k >= n || !this.present[one]) throw new BrokenStream('no such change')
      this.lon[one] = (this.lon[one] as number) + pair(lon, k)
      this.lat[one] = (this.lat[one] as number) + pair(lat, k)
      this.fix[one] = now - pair(age, k)
      this.speed[one] = ((this.speed[one] as number) + (speed[k] as number)) & 255
      this.direction[one] = ((this.direction[one] as number) + (direction[k] as number)) & 255
      this.flags[one] = flags[k] as number
      k++
    }
    if (k !== n) throw new BrokenStream('fewer changes')
  }
}

/** Why the server ended the stream. */
export function endReason(frame: Frame): string {
  try {
    const told: unknown = JSON.parse(new TextDecoder().decode(frame.body))
    return typeof told === 'object' && told !== null && 'reason' in told ? String(told.reason) : ''
  } catch {
    return ''
  }
}
