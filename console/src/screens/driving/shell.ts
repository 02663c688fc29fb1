// The page opens without a network: a service worker keeps the shell. It needs https (or this machine's own address); elsewhere the page works as before.
export async function keepShell(): Promise<void> {
  if (!('serviceWorker' in navigator) || !window.isSecureContext) return
  try {
    await navigator.serviceWorker.register('/sw.js')
    const { active } = await navigator.serviceWorker.ready
    const files = performance.getEntriesByType('resource').map((one) => new URL(one.name)).filter((one) => one.origin === location.origin && one.pathname.startsWith('/assets/'))
    const scripts = [...document.querySelectorAll<HTMLScriptElement | HTMLLinkElement>('script[src], link[rel=stylesheet]')].map((one) => new URL('src' in one ? one.src : one.href))
    const keep = [...new Set([...[...files, ...scripts].map((one) => one.pathname), '/favicon.svg'])]
    // A worker of our own has no target origin.
    // oxlint-disable-next-line unicorn/require-post-message-target-origin
    active?.postMessage({ keep })
  } catch {
    // Closed by the browser's settings: nothing that cannot be done without.
  }
}
