// Every text is there in both languages, and every text that a page names is there.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

import { screens } from '@/app/screens'
import common from '@/i18n/common'

function keys(texts: object, before = ''): string[] {
  return Object.entries(texts).flatMap(([key, value]) =>
    typeof value === 'object' && value !== null ? keys(value as object, `${before}${key}.`) : [`${before}${key}`],
  )
}
function files(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? files(join(folder, entry.name)) : /\.(vue|ts)$/.test(entry.name) ? [join(folder, entry.name)] : [],
  )
}

const all = await Promise.all(screens.map(async (screen) => [screen.name, (await screen.texts()).default] as const))

describe('texts', () => {
  it('are there in both languages', () => {
    expect(new Set(keys(common.zh))).toEqual(new Set(keys(common.en)))
    for (const [name, texts] of all) expect(new Set(keys(texts.zh)), name).toEqual(new Set(keys(texts.en)))
  })
  it('are there where a page names them', () => {
    const known = new Set([...keys(common.zh), ...all.flatMap(([name, texts]) => keys(texts.zh, `${name}.`))])
    const missing = files('src').flatMap((file) =>
      [...readFileSync(file, 'utf8').matchAll(/\bt\('([\w.-]+)'/g)].map((match) => `${file}: ${match[1]}`).filter((one) => !known.has(one.split(': ')[1] ?? '')),
    )
    expect(missing).toEqual([])
  })
  it('are never put in as markup', () => {
    const markup = files('src').filter((file) => /v-html|innerHTML|outerHTML|insertAdjacentHTML|document\.write/.test(readFileSync(file, 'utf8')))
    expect(markup).toEqual([])
  })
  it('of a screen have the name of its folder', () => {
    expect(new Set(screens.map((screen) => screen.name)).size).toBe(screens.length)
    for (const screen of screens) expect(readdirSync('src/screens')).toContain(screen.name)
  })
})
