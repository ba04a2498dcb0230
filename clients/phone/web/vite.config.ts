import { execFileSync } from 'node:child_process'
import path from 'node:path'
import preact from '@preact/preset-vite'
import { defineConfig } from 'vite'
import { VitePWA } from 'vite-plugin-pwa'

const goroot = process.env['GOROOT'] ?? execFileSync('go', ['env', 'GOROOT'], { encoding: 'utf8' }).trim()

export default defineConfig({
  base: '/app/',
  resolve: { alias: { '@goroot': path.join(goroot, 'lib/wasm') } },
  plugins: [
    preact(),
    VitePWA({
      strategies: 'generateSW', injectRegister: false, registerType: 'prompt',
      manifest: {
        name: 'Trio', short_name: 'Trio', start_url: '/app/', scope: '/app/', display: 'standalone',
        background_color: '#f6f3ec', theme_color: '#f6f3ec', icons: [{ src: 'icon.svg', sizes: 'any', type: 'image/svg+xml', purpose: 'any' }],
      },
      workbox: {
        globPatterns: ['**/*.{html,js,css,svg,wasm}'], maximumFileSizeToCacheInBytes: 16 << 20,
        navigateFallback: '/app/index.html', cleanupOutdatedCaches: true, sourcemap: false,
      },
    }),
  ],
  build: { target: 'es2022', outDir: '../dist', emptyOutDir: true, modulePreload: { polyfill: false } },
  worker: { format: 'es' },
})
