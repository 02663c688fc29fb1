import { fileURLToPath } from 'node:url'

import vue from '@vitejs/plugin-vue'
import { ElementPlusResolver } from 'unplugin-vue-components/resolvers'
import Components from 'unplugin-vue-components/vite'
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

export default defineConfig({
  worker: { format: 'es', plugins: () => [workerPolyfills] },
  plugins: [
    vue(),
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
            // The work list is where most people begin: what it needs comes with the page, in one piece.
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
