// Reads a vector tile (Mapbox Vector Tile 2.1) of our own base map, for the map that is drawn without WebGL2. Pure; what makes no sense is a
// RangeError, and nothing in it makes it read on without an end.

export interface TileFeature {
  /** 1 points, 2 lines, 3 areas */
  kind: number
  tags: Record<string, string | number>
  /** One list for each point set, line or ring: x, y in turn, in units of the tile (0 to extent; a little beyond at its edges). */
  parts: Int32Array[]
}
export interface TileLayer {
  extent: number
  features: TileFeature[]
}

/** Fields of a message of Protocol Buffers, one after the other. */
class Reader {
  at = 0

  constructor(readonly bytes: Uint8Array) {}

  get more(): boolean {
    return this.at < this.bytes.length
  }
  number(): number {
    let [value, times] = [0, 1]
    for (let k = 0; k < 10; k++) {
      const byte = this.bytes[this.at++]
      if (byte === undefined) break
      value += (byte & 127) * times
      if (byte < 128) return value
      times *= 128
    }
    throw new RangeError('no number')
  }
  part(): Uint8Array {
    const length = this.number()
    const end = this.at + length
    if (end > this.bytes.length) throw new RangeError('too short')
    const found = this.bytes.subarray(this.at, end)
    this.at = end
    return found
  }
  skip(wire: number): void {
    if (wire === 0) this.number()
    else if (wire === 1) this.at += 8
    else if (wire === 2) this.part()
    else if (wire === 5) this.at += 4
    else throw new RangeError('no field')
  }
  /** Calls ``take`` with each field: its number and its kind of wire; it reads the value, or says false and it is passed over. */
  fields(take: (field: number, wire: number) => boolean): void {
    while (this.more) {
      const key = this.number()
      if (!take(Math.floor(key / 8), key % 8)) this.skip(key % 8)
    }
  }
}

const text = new TextDecoder()
const signed = (value: number): number => (value % 2 ? -(value + 1) / 2 : value / 2)

function valueOf(bytes: Uint8Array): string | number {
  const reader = new Reader(bytes)
  let found: string | number = ''
  reader.fields((field, wire) => {
    if (field === 1 && wire === 2) found = text.decode(reader.part())
    else if ((field === 4 || field === 5 || field === 7) && wire === 0) found = reader.number()
    else if (field === 6 && wire === 0) found = signed(reader.number())
    else return false
    return true
  })
  return found
}

/** MoveTo, LineTo and ClosePath as lists of places. */
function partsOf(bytes: Uint8Array): Int32Array[] {
  const reader = new Reader(bytes)
  const parts: number[][] = []
  let [x, y] = [0, 0]
  while (reader.more) {
    const command = reader.number()
    const [what, count] = [command % 8, Math.floor(command / 8)]
    if (what === 7) continue
    if ((what !== 1 && what !== 2) || count > bytes.length) throw new RangeError('no command')
    for (let k = 0; k < count; k++) {
      x += signed(reader.number())
      y += signed(reader.number())
      if (what === 1) parts.push([x, y])
      else {
        const last = parts[parts.length - 1]
        if (!last) throw new RangeError('a line without a begin')
        last.push(x, y)
      }
    }
  }
  return parts.map((part) => Int32Array.from(part))
}

function layerOf(bytes: Uint8Array): [string, TileLayer] {
  const reader = new Reader(bytes)
  const [keys, values, features]: [string[], (string | number)[], Uint8Array[]] = [[], [], []]
  let [name, extent] = ['', 4096]
  reader.fields((field, wire) => {
    if (field === 1 && wire === 2) name = text.decode(reader.part())
    else if (field === 2 && wire === 2) features.push(reader.part())
    else if (field === 3 && wire === 2) keys.push(text.decode(reader.part()))
    else if (field === 4 && wire === 2) values.push(valueOf(reader.part()))
    else if (field === 5 && wire === 0) extent = reader.number()
    else return false
    return true
  })
  if (!(extent > 0)) throw new RangeError('no extent')
  const read = features.map((part): TileFeature => {
    const of = new Reader(part)
    const made: TileFeature = { kind: 0, tags: {}, parts: [] }
    of.fields((field, wire) => {
      if (field === 2 && wire === 2) {
        const pairs = new Reader(of.part())
        while (pairs.more) {
          const [key, value] = [keys[pairs.number()], values[pairs.number()]]
          if (key === undefined || value === undefined) throw new RangeError('no such tag')
          made.tags[key] = value
        }
      } else if (field === 3 && wire === 0) made.kind = of.number()
      else if (field === 4 && wire === 2) made.parts = partsOf(of.part())
      else return false
      return true
    })
    return made
  })
  return [name, { extent, features: read }]
}

/** The layers of a tile by their names. Throws RangeError. */
export function readTile(bytes: Uint8Array): Map<string, TileLayer> {
  const reader = new Reader(bytes)
  const layers = new Map<string, TileLayer>()
  reader.fields((field, wire) => {
    if (field !== 3 || wire !== 2) return false
    const [name, layer] = layerOf(reader.part())
    layers.set(name, layer)
    return true
  })
  if (reader.at !== bytes.length) throw new RangeError('too short')
  return layers
}
