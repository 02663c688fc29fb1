// Drives a Chromium of long ago by its debugging pipe: the drivers of today do not know it any more. Signs in, looks at the list, a
// detail and the live map, and says what went wrong. Arguments: program, address, login, password, folder for pictures.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const [program, address, login, password, pictures] = process.argv.slice(2)
const profile = mkdtempSync(join(tmpdir(), 'gongche-chromium-'))
const browser = spawn(program, [
  '--headless', '--no-sandbox', '--no-zygote', '--disable-gpu', '--disable-dev-shm-usage', '--disable-background-networking', '--no-first-run', '--window-size=1366,768',
  '--lang=zh-CN', '--remote-debugging-pipe', `--user-data-dir=${profile}`,
], { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'], env: { ...process.env, LANG: 'zh_CN.UTF-8' } })
const [, , , toBrowser, fromBrowser] = browser.stdio
/** Only there so that a browser that says nothing ends the test. */
const PATIENCE_MS = 110_000
const failed = (why) => {
  console.error(why)
  browser.kill('SIGKILL')
  process.exit(1)
}
const deadline = setTimeout(() => failed(`no end within ${PATIENCE_MS / 1000} s`), PATIENCE_MS)
const early = (code, signal) => failed(`the browser has ended: ${code ?? signal}`)
browser.once('exit', early)
browser.once('error', (error) => failed(String(error)))

let last = 0
const waiting = new Map()
const wrong = []
let rest = ''
fromBrowser.setEncoding('utf8')
fromBrowser.on('data', (text) => {
  const parts = (rest + text).split('\0')
  rest = parts.pop()
  for (const part of parts) heard(JSON.parse(part))
})
function heard(message) {
  if (message.id) {
    const { resolve, reject } = waiting.get(message.id)
    waiting.delete(message.id)
    if (message.error) reject(new Error(`${message.error.message}`))
    else resolve(message.result)
  } else if (message.method === 'Runtime.exceptionThrown') {
    const { text, exception } = message.params.exceptionDetails
    wrong.push(`an error in the page: ${text} ${exception?.description ?? ''}`.slice(0, 600))
  } else if (message.method === 'Log.entryAdded' && message.params.entry.level === 'error') {
    const { text, url } = message.params.entry
    // Nobody is signed in yet: the first answer is 401.
    if (!/status of 401/.test(text)) wrong.push(`the log says: ${text} ${url ?? ''}`.slice(0, 600))
  } else if (message.method === 'Runtime.consoleAPICalled' && message.params.type === 'error') {
    wrong.push(`the console says: ${message.params.args.map((one) => one.value ?? one.description).join(' ')}`.slice(0, 600))
  }
}
let session
function send(method, params = {}) {
  last += 1
  const id = last
  toBrowser.write(`${JSON.stringify({ id, method, params, ...(session ? { sessionId: session } : {}) })}\0`)
  return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }))
}
async function ask(work, ...given) {
  const { result, exceptionDetails } = await send('Runtime.evaluate', {
    expression: `(${work})(${given.map((one) => JSON.stringify(one)).join(',')})`, returnByValue: true, awaitPromise: true,
  })
  if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text)
  return result.value
}
async function until(selector) {
  for (let k = 0; k < 400; k += 1) {
    if (await ask((wanted) => Boolean(document.querySelector(wanted)), selector)) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`not there: ${selector}; ${await ask(() => document.body.innerText.slice(0, 400))}`)
}
const press = (selector) => ask((wanted) => document.querySelector(wanted).click(), selector)
const fill = (selector, text) => ask((wanted, typed) => {
  const field = document.querySelector(wanted)
  field.value = typed
  field.dispatchEvent(new Event('input', { bubbles: true }))
}, selector, text)
async function picture(name) {
  const { data } = await send('Page.captureScreenshot', { format: 'png' })
  writeFileSync(join(pictures, `${name}.png`), Buffer.from(data, 'base64'))
}

const found = { wrong }
try {
  found.version = (await send('Browser.getVersion')).product
  const { targetId } = await send('Target.createTarget', { url: 'about:blank', width: 1366, height: 768 })
  session = (await send('Target.attachToTarget', { targetId, flatten: true })).sessionId
  await Promise.all([send('Runtime.enable'), send('Log.enable'), send('Page.enable')])
  await send('Page.navigate', { url: `${address}/login?return=/alerts` })
  await until('input[name=password]')
  await fill('input[name=username]', login)
  await fill('input[name=password]', password)
  await press('form button[type=submit]')
  await until('[role=row].line')
  await until('[data-news=live]')
  await picture('old-alerts')
  await press('[role=row].line')
  await until('.formula .others li')
  await until('[data-verified]')
  await picture('old-alert')
  await press('nav a[href="/live"]')
  await until('[data-line=live]')
  await until('[data-id=car-1]')
  await until('[data-face]')
  found.face = await ask(() => document.querySelector('[data-face]').dataset.face)
  await picture('old-live')
  await press('nav a[href="/cases"]')
  await until('[role=grid]')
  found.done = true
} catch (error) {
  wrong.push(String(error.stack ?? error))
  if (session) await picture('old-failed').catch(() => undefined)
}
process.stdout.write(`${JSON.stringify(found)}\n`)
clearTimeout(deadline)
browser.off('exit', early)
browser.kill('SIGKILL')
await new Promise((resolve) => browser.once('exit', resolve))
rmSync(profile, { recursive: true, force: true })
