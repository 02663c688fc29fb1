// SHA-256 and SM3 (GB/T 32905) in the page itself: crypto.subtle is there only where the page came over HTTPS, and has no SM3.

const rotate = (x: number, n: number): number => (x << (n & 31)) | (x >>> ((32 - (n & 31)) & 31))

/** ``bytes`` with the padding that both take: a bit, zeros, the length in bits as 64 bits. */
function padded(bytes: Uint8Array): DataView {
  const whole = new Uint8Array(Math.ceil((bytes.length + 9) / 64) * 64)
  whole.set(bytes)
  whole[bytes.length] = 0x80
  const view = new DataView(whole.buffer)
  view.setUint32(whole.length - 8, Math.floor(bytes.length / 0x20000000))
  view.setUint32(whole.length - 4, (bytes.length * 8) >>> 0)
  return view
}

const hex = (words: Uint32Array): string => Array.from(words, (word) => word.toString(16).padStart(8, '0')).join('')

/** The first 32 bits of the fractional parts of ``root`` of the first primes. */
function fractions(count: number, root: (n: number) => number): Uint32Array {
  const found: number[] = []
  for (let n = 2; found.length < count; n += 1) {
    let prime = true
    for (let d = 2; d * d <= n; d += 1) if (n % d === 0) prime = false
    if (prime) found.push(Math.floor((root(n) % 1) * 0x100000000) >>> 0)
  }
  return Uint32Array.from(found)
}

const K = fractions(64, Math.cbrt)
const START = fractions(8, Math.sqrt)

export function sha256(bytes: Uint8Array): string {
  const view = padded(bytes)
  const state = START.slice()
  const w = new Uint32Array(64)
  const at = (i: number): number => w[i] as number
  for (let block = 0; block < view.byteLength; block += 64) {
    for (let i = 0; i < 16; i += 1) w[i] = view.getUint32(block + 4 * i)
    for (let i = 16; i < 64; i += 1) {
      const [x, y] = [at(i - 15), at(i - 2)]
      w[i] = at(i - 16) + (rotate(x, 25) ^ rotate(x, 14) ^ (x >>> 3)) + at(i - 7) + (rotate(y, 15) ^ rotate(y, 13) ^ (y >>> 10))
    }
    let [a, b, c, d, e, f, g, h] = state as unknown as [number, number, number, number, number, number, number, number]
    for (let i = 0; i < 64; i += 1) {
      const one = (h + (rotate(e, 26) ^ rotate(e, 21) ^ rotate(e, 7)) + ((e & f) ^ (~e & g)) + (K[i] as number) + at(i)) | 0
      const two = ((rotate(a, 30) ^ rotate(a, 19) ^ rotate(a, 10)) + ((a & b) ^ (a & c) ^ (b & c))) | 0
      ;[a, b, c, d, e, f, g, h] = [(one + two) | 0, a, b, c, (d + one) | 0, e, f, g]
    }
    ;[a, b, c, d, e, f, g, h].forEach((value, i) => {
      state[i] = (state[i] as number) + value
    })
  }
  return hex(state)
}

export function sm3(bytes: Uint8Array): string {
  const view = padded(bytes)
  const state = Uint32Array.of(0x7380166f, 0x4914b2b9, 0x172442d7, 0xda8a0600, 0xa96f30bc, 0x163138aa, 0xe38dee4d, 0xb0fb0e4e)
  const w = new Uint32Array(68)
  const at = (i: number): number => w[i] as number
  const p0 = (x: number): number => x ^ rotate(x, 9) ^ rotate(x, 17)
  const p1 = (x: number): number => x ^ rotate(x, 15) ^ rotate(x, 23)
  for (let block = 0; block < view.byteLength; block += 64) {
    for (let i = 0; i < 16; i += 1) w[i] = view.getUint32(block + 4 * i)
    for (let i = 16; i < 68; i += 1) w[i] = p1(at(i - 16) ^ at(i - 9) ^ rotate(at(i - 3), 15)) ^ rotate(at(i - 13), 7) ^ at(i - 6)
    let [a, b, c, d, e, f, g, h] = state as unknown as [number, number, number, number, number, number, number, number]
    for (let i = 0; i < 64; i += 1) {
      const s1 = rotate((rotate(a, 12) + e + rotate(i < 16 ? 0x79cc4519 : 0x7a879d8a, i % 32)) | 0, 7)
      const s2 = s1 ^ rotate(a, 12)
      const t1 = ((i < 16 ? a ^ b ^ c : (a & b) | (a & c) | (b & c)) + d + s2 + (at(i) ^ at(i + 4))) | 0
      const t2 = ((i < 16 ? e ^ f ^ g : (e & f) | (~e & g)) + h + s1 + at(i)) | 0
      ;[a, b, c, d, e, f, g, h] = [t1, a, rotate(b, 9), c, p0(t2), e, rotate(f, 19), g]
    }
    ;[a, b, c, d, e, f, g, h].forEach((value, i) => {
      state[i] = (state[i] as number) ^ value
    })
  }
  return hex(state)
}
