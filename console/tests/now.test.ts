// The time of now is the server's, and nothing else asks the desktop's clock for it.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'

import { clockOffset, heardServer, serverNow, serverTime } from '@/text/now'

const AT = Date.parse('2026-03-02T08:00:00Z')
const said = (ms: number): string => new Date(ms).toUTCString()

describe('the clock', () => {
  afterEach(() => void vi.useRealTimers())
  it('is the server’s to a second, and does not tremble', () => {
    vi.useFakeTimers({ now: AT })
    heardServer(said(AT - 600_000), AT, AT + 40)
    expect(Math.abs(clockOffset() + 600_000)).toBeLessThan(1_000)
    const before = clockOffset()
    heardServer(said(AT - 600_000 + 900), AT + 900, AT + 940)
    expect(clockOffset()).toBe(before)
    expect(serverNow()).toBe(AT + before)
    expect(serverTime(AT + 5)).toBe(AT + 5 + before)
    // Somebody sets the desktop's clock.
    heardServer(said(AT), AT, AT + 40)
    expect(Math.abs(clockOffset())).toBeLessThan(1_000)
  })
  it('learns nothing from a slow answer, none, or nonsense', () => {
    const before = clockOffset()
    heardServer(said(AT + 10 ** 9), AT, AT + 60_000)
    heardServer(null, AT, AT)
    heardServer('yesterday', AT, AT)
    heardServer(said(AT + 10 ** 9), AT + 5, AT)
    expect(clockOffset()).toBe(before)
  })
  it('is asked by pages through serverNow', () => {
    // How long something took may be the desktop's; and a number that nobody reads.
    const own = ['text/now.ts', 'composables/useLookingAgain.ts', 'api/client.ts', 'screens/cockpit/CockpitPage.vue', 'screens/operations/OperationsPage.vue', 'screens/alerts/detail/AlertActions.vue']
    const files = (folder: string): string[] => readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
      entry.isDirectory() ? files(join(folder, entry.name)) : [join(folder, entry.name)])
    const found = files('src').filter((file) => /\.(ts|vue)$/.test(file) && !own.some((one) => file.endsWith(one)))
      .filter((file) => /Date\.now\(\)|new Date\(\)/.test(readFileSync(file, 'utf8')))
    expect(found).toEqual([])
  })
})
