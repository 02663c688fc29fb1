// What may be done with a rental in which state.
import { describe, expect, it } from 'vitest'

import { rentalSign, rentalSteps, STATES as RENTAL_STATES, STEPS, type RentalState } from '@/screens/rentals/rentals'
import rentalTexts from '@/screens/rentals/texts'

describe('a rental', () => {
  it('has the steps of its state by right', () => {
    const steps = (state: RentalState, ...held: string[]): string[] => rentalSteps(state, (permission) => held.includes(permission)).map((one) => one.step)
    expect(steps('reported', 'rentals:approve', 'trips:dispatch')).toEqual(['approve', 'refuse', 'withdraw'])
    expect([steps('approved', 'registry:write'), steps('taken', 'costs:write'), steps('settled', 'costs:write', 'trips:dispatch'), steps('reported')]).toEqual([['take'], ['settle'], [], []])
    for (const state of RENTAL_STATES) expect(rentalSign(state).sign).toBeTruthy()
    for (const step of STEPS) expect(Object.keys(rentalTexts.zh.step)).toContain(step)
  })
})
