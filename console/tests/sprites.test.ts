// The map without WebGL2: pictures of points copied pixel by pixel.
import { describe, expect, it } from 'vitest'

import { HIDDEN, NO_TURN, type Look, type Points } from '@/components/map/mercator'
import { copyPoints, over, Sprites, type Place } from '@/components/map/sprites'

const RED = 0xff0000ff | 0
const BLUE = 0xffff0000 | 0
const HALF_BLUE = 0x80ff0000 | 0
const look = (colour: string, shape: Look['shape'] = 'circle', size = 2): Look => ({ colour, shape, size })
/** A sprite of one colour, as large as asked for. */
const plain = (colours: Record<string, number>): Sprites => new Sprites((one, size) => {
  const side = Math.round(size)
  return { side, pixels: new Int32Array(side * side).fill(colours[one.colour] ?? 0) }
})
const points = (...all: [x: number, y: number, look: number, turn?: number][]): Points => ({
  count: all.length, x: Float64Array.from(all, (one) => one[0]), y: Float64Array.from(all, (one) => one[1]),
  look: Uint8Array.from(all, (one) => one[2]), turn: Uint8Array.from(all, (one) => one[3] ?? NO_TURN),
})
/** A picture of 6 x 4 pixels whose pixel is one of the square. */
const place: Place = { x: 3, y: 2, scale: 1, width: 6, height: 4 }

function shown(what: Points, looks: Look[], sprites: Sprites): string[] {
  const target = new Int32Array(24)
  copyPoints(target, place, what, looks, sprites, 1, 1)
  const letters = new Map([[0, '.'], [RED, 'R'], [BLUE, 'B']])
  return Array.from({ length: 4 }, (_, row) => [...target.subarray(6 * row, 6 * row + 6)].map((pixel) => letters.get(pixel) ?? '?').join(''))
}

describe('points on a plain canvas', () => {
  const sprites = plain({ red: RED, blue: BLUE, half: HALF_BLUE })
  it('stand where they are, cut at each edge, and outside is nothing', () => {
    expect(shown(points([3, 2, 0]), [look('red')], sprites)).toEqual(['......', '..RR..', '..RR..', '......'])
    const all = points([0, 0, 0], [6, 0, 0], [0, 4, 0], [6, 4, 0], [-5, 2, 0], [3, 40, 0], [11, 2, 0], [3, -7, 0])
    expect(shown(all, [look('red')], sprites)).toEqual(['R....R', '......', '......', 'R....R'])
  })
  it('lie above each other in the order of their looks, whatever their own', () => {
    const all = points([3, 2, 1], [3, 2, 0])
    expect(shown(all, [look('red'), look('blue')], sprites)[1]).toBe('..BB..')
    expect(shown(all, [look('blue'), look('red')], sprites)[1]).toBe('..RR..')
  })
  it('that are hidden, or of no look, are not drawn', () => {
    expect(shown(points([3, 2, HIDDEN], [3, 2, 7]), [look('red')], sprites).join('')).toBe('.'.repeat(24))
  })
  it('mix where they are half clear', () => {
    expect(over(HALF_BLUE, 0)).toBe(HALF_BLUE)
    const mixed = over(HALF_BLUE, RED)
    expect([mixed >>> 24, (mixed >>> 16) & 255, mixed & 255]).toEqual([255, 128, 127])
    expect(over(HALF_BLUE, HALF_BLUE) >>> 24).toBe(192)
  })
  it('are drawn once for each direction of 10 degrees and quarter of a pixel', () => {
    const made: [number, number][] = []
    const counted = new Sprites((_look, size, turn) => {
      made.push([size, turn])
      return { side: 0, pixels: new Int32Array(0) }
    })
    const arrow = look('red', 'arrow', 10)
    for (let turn = 0; turn < 180; turn++) counted.of(arrow, 10, turn, 1)
    expect(new Set(made.map(([, turn]) => turn))).toEqual(new Set(Array.from({ length: 36 }, (_, k) => 5 * k)))
    expect(made.length).toBe(36)
    counted.of(look('red', 'square'), 10.01, 17, 1)
    counted.of(look('red', 'square'), 9.99, 99, 1)
    expect(made.slice(36)).toEqual([[10, NO_TURN]])
  })
})
