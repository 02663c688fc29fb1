import { fileURLToPath } from 'node:url'

import vue from '@vitejs/plugin-vue'
import { ElementPlusResolver } from 'unplugin-vue-components/resolvers'
import Components from 'unplugin-vue-components/vite'
import type { HtmlTagDescriptor, Plugin } from 'vite'
import { defineConfig } from 'vitest/config'

// `python -m tools.console --dev` names the API that the development server passes requests on to.
const api = process.env.GONGCHE_API ?? 'http://127.0.0.1:8000'

/** MapLibre's worker runs apart from the page and needs what old browsers lack for itself. A module of our own that imports the
 * worker for what it does would be taken for one that does nothing, and come out empty. */
const workerPolyfills = {
  name: 'worker-polyfills',
  transform(code: string, id: string) {
    if (!/maplibre-gl-worker\.mjs/.test(id) || /[?&]url\b/.test(id)) return null
    const names = ['array/at', 'array/find-last', 'object/has-own', 'string/replace-all', 'structured-clone']
    return { code: names.map((name) => `import 'core-js/actual/${name}'\n`).join('') + code, map: null }
  },
}

/** The work list is where most people begin. The page names its files, so that they come with the first ones and not after them.
 * A style sheet is used at once: a browser complains of one that was only preloaded and that the page at hand does not need. */
const FIRST = ['screens/alerts/AlertList.vue', 'screens/alerts/texts.ts']
const firstScreen: Plugin = {
  name: 'first-screen',
  transformIndexHtml: {
    order: 'post',
    handler: (html, { bundle = {} }) => {
      const links = new Map<string, HtmlTagDescriptor>()
      const add = (href: string, attrs: Record<string, string | boolean>): void => {
        if (!html.includes(href)) links.set(href, { tag: 'link', attrs: { ...attrs, crossorigin: true, href: `/${href}` }, injectTo: 'head' })
      }
      for (const chunk of Object.values(bundle)) {
        if (chunk.type !== 'chunk' || !FIRST.some((name) => chunk.facadeModuleId?.endsWith(name))) continue
        for (const name of [chunk.fileName, ...chunk.imports]) {
          add(name, { rel: 'modulepreload' })
          const part = bundle[name]
          if (part?.type === 'chunk') part.viteMetadata?.importedCss.forEach((css) => add(css, { rel: 'stylesheet' }))
        }
      }
      return [...links.values()]
    },
  },
}

export default defineConfig({
  worker: { format: 'es', plugins: () => [workerPolyfills] },
  plugins: [
    vue(),
    firstScreen,
    // Only the components of Element Plus that a template names come in, each with its own style sheet.
    Components({ dts: false, dirs: [], resolvers: [ElementPlusResolver({ importStyle: 'css' })] }),
  ],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  build: {
    outDir: '../src/api/console/built',
    emptyOutDir: true,
    // The oldest browser of government desktops that we know of (docs/console.md).
    target: 'chrome83',
    cssTarget: 'chrome83',
    // Nothing becomes a data: address, so that the policy for content stays narrow.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    // MapLibre is one piece of 1.1 MB, fetched with the first map.
    chunkSizeWarningLimit: 1200,
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            { name: 'vue', priority: 3, test: /node_modules[\\/](@vue|vue|vue-router|pinia|vue-i18n|@intlify|core-js|@tanstack)[\\/]|vite[\\/]preload-helper/ },
            // What many screens share comes in two pieces and not in fifty: a browser fetches six at a time, each after a wait.
            { name: 'ui', priority: 2, test: /node_modules[\\/]/, minShareCount: 8 },
            { name: 'first', priority: 1, test: /console[\\/]src[\\/]screens[\\/]alerts[\\/](AlertList|texts)|console[\\/]src[\\/]main\.ts/ },
            { name: 'common', test: /console[\\/]src[\\/]/, minShareCount: 8 },
          ],
        },
      },
    },
  },
  server: {
    port: 5173,
    strictPort: false,
    proxy: { '^/(v1|docs|openapi.json|healthz|readyz)': { target: api, changeOrigin: false } },
  },
  test: {
    environment: 'happy-dom',
    include: ['src/**/*.test.ts', 'tests/**/*.test.ts'],
    server: { deps: { inline: ['element-plus'] } },
    css: false,
  },
})
