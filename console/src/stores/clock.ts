// How far the desktop's clock is from the server's. What pages show as now is the server's (text/now.ts).
import { defineStore } from 'pinia'
import { computed, ref } from 'vue'

import { hooks } from '@/api/client'
import { heardServer } from '@/text/now'

/** From here on somebody should know: times in other programs of this desktop are not to be trusted. */
export const WRONG_MS = 2 * 60_000

export const useClock = defineStore('clock', () => {
  const offset = ref(0)
  hooks.dated = (date, sent, received) => {
    offset.value = heardServer(date, sent, received)
  }
  const wrong = computed(() => Math.abs(offset.value) > WRONG_MS)
  /** Whole minutes. */
  const minutes = computed(() => Math.round(Math.abs(offset.value) / 60_000))
  const behind = computed(() => offset.value > 0)
  return { offset, wrong, minutes, behind }
})
