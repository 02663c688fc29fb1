// Numbers of maps: the projection, offsets in float32, the scale, picking.
import { describe, expect, it } from 'vitest'

import { boundsOf, distanceM, EQUATOR_M, HIDDEN, latOf, lonOf, mercatorX, mercatorY, nearest, noPoints, offsets, scaleBar, shifted } from '@/components/map/mercator'

describe('mercator', () => {
  it('goes there and back', () => {
    for (const [lon, lat] of [[120.9, 32], [-73.5, -33.4], [0, 0], [179.99, 84]] as const) {
      expect(lonOf(mercatorX(lon))).toBeCloseTo(lon, 9)
      expect(latOf(mercatorY(lat))).toBeCloseTo(lat, 9)
    }
    expect(mercatorY(0)).toBeCloseTo(0.5, 15)
  })
  it('keeps centimetres as float32 of offsets', () => {
    const points = noPoints(2)
    points.count = 2
    points.x.set([mercatorX(120.9), mercatorX(121.6123456)])
    points.y.set([mercatorY(32), mercatorY(32.5654321)])
    const made = new Float32Array(4)
    offsets(points.x, points.y, 2, points.x[0] as number, points.y[0] as number, made)
    const errorM = Math.abs((made[2] as number) + (points.x[0] as number) - (points.x[1] as number)) * EQUATOR_M
    expect(errorM).toBeLessThan(0.01)
    const matrix = shifted([1, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1, 0, 5, 6, 7, 1], 10, 20)
    expect(Array.from(matrix.subarray(12))).toEqual([15, 46, 7, 1])
  })
  it('measures', () => {
    expect(distanceM(120, 32, 121, 32) / 1000).toBeCloseTo(94.3, 0)
    expect(scaleBar(10)).toEqual({ pixels: 100, text: '1 km' })
    expect(scaleBar(0.7)).toEqual({ pixels: 50 / 0.7, text: '50 m' })
  })
  it('finds the nearest point that is drawn', () => {
    const points = noPoints(3)
    points.count = 3
    points.x.set([0.5, 0.51, 0.52])
    points.y.set([0.5, 0.5, 0.5])
    points.look.set([0, HIDDEN, 0])
    expect(nearest(points, 0.511, 0.5, 0.02)).toBe(2)
    expect(nearest(points, 0.6, 0.5, 0.02)).toBe(-1)
    expect(boundsOf(points)?.east).toBeCloseTo(lonOf(0.52), 9)
    expect(boundsOf(noPoints(1))).toBeNull()
  })
})
