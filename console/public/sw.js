// Keeps the shell of the console (the page, its scripts and styles) for drivers, so that it opens where there is no network. Registered by the page of
// drives only (src/screens/driving/shell.ts); nothing that the API answers is ever kept here.
'use strict'

const SHELL = 'gongche-shell'
const OF_THE_API = ['v1', 'docs', 'openapi.json', 'healthz', 'readyz', 'metrics']

self.addEventListener('install', () => self.skipWaiting())
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()))
self.addEventListener('message', (event) => {
  const files = event.data && event.data.keep
  if (Array.isArray(files)) event.waitUntil(keep(files.filter((one) => typeof one === 'string' && one.startsWith('/'))).catch(() => undefined))
})

/** The page and the files that it has just been made of, together; what belongs to a build before goes. */
async function keep(files) {
  const page = await fetch('/', { cache: 'no-store' })
  const text = await page.clone().text()
  // Another build came between: this one's files would not fit its page. (Names of files hold what is in them.)
  const scripts = [...text.matchAll(/<script[^>]* src="([^"]+)"/g)].map((found) => found[1])
  if (!page.ok || scripts.length === 0 || scripts.some((one) => !files.includes(one))) return
  const shell = await caches.open(SHELL)
  const kept = new Set((await shell.keys()).map((one) => new URL(one.url).pathname))
  await shell.addAll(files.filter((one) => !kept.has(one)))
  await shell.put('/', page)
  const wanted = new Set(['/', ...files])
  for (const one of await shell.keys()) if (!wanted.has(new URL(one.url).pathname)) await shell.delete(one)
}

async function kept(address, failed) {
  const found = await (await caches.open(SHELL)).match(address)
  if (found) return found
  throw failed
}

self.addEventListener('fetch', (event) => {
  const { request } = event
  const { origin, pathname } = new URL(request.url)
  if (request.method !== 'GET' || origin !== self.location.origin) return
  if (request.mode === 'navigate' && !OF_THE_API.includes(pathname.split('/')[1])) event.respondWith(fetch(request).catch((error) => kept('/', error)))
  else if (pathname.startsWith('/assets/') || pathname === '/favicon.svg') event.respondWith(kept(pathname, null).catch(() => fetch(request)))
})
