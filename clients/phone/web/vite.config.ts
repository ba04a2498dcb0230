import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import preact from '@preact/preset-vite'
import { minifySync } from 'rolldown/utils'
import { defineConfig, type Plugin } from 'vite'
import { environment } from '../core/go.mjs'
import { sqlite } from './sqlite.ts'

const goroot = execFileSync('go', ['env', 'GOROOT'], { encoding: 'utf8', env: environment }).trim()

/** offline writes the service worker: service.js with the names of all that the app needs, and a version made of what is in them. */
function offline(): Plugin {
  return {
    name: 'offline',
    generateBundle(_, bundle) {
      const version = createHash('sha256')
      const files = Object.keys(bundle).filter(f => !/sqlite3-(opfs-async-proxy|worker1)/.test(f)).sort()
      for (const f of files) {
        const it = bundle[f]!
        version.update(f).update(it.type === 'chunk' ? it.code : it.source)
      }
      const more = ['icon.svg', 'icon-180.png', 'icon-512.png', 'app.webmanifest']
      for (const f of [...more.map(f => `public/${f}`), 'index.html']) version.update(readFileSync(new URL(f, import.meta.url)))
      const text = (f: string) => readFileSync(new URL(f, import.meta.url), 'utf8')
      const unpack = text('../core/unpack.mjs').replace('export function', 'function')
      const names = JSON.stringify(['index.html', ...files.filter(f => f !== 'index.html'), ...more])
      const source = text('service.js').replace('[/* files */]', () => names).replace('/* unpack */', () => unpack)
        .replace('__VERSION__', version.update(unpack).digest('hex').slice(0, 16))
      this.emitFile({ type: 'asset', fileName: 'sw.js', source: minifySync('sw.js', source).code })
    },
  }
}

// Files are named by when they are loaded, which pack.mjs goes by: index with the page, later when they are asked for, worker by the worker.
export default defineConfig({
  base: '/app/',
  resolve: { alias: { '@goroot': path.join(goroot, 'lib/wasm') } },
  plugins: [
    preact(),
    offline(),
  ],
  build: { target: 'es2022', outDir: '../dist', emptyOutDir: true, modulePreload: { polyfill: false }, rollupOptions: { output: { chunkFileNames: c => `assets/${c.isDynamicEntry || /^(boards|problems)$/.test(c.name) ? 'later' : 'index'}-[name]-[hash].js` } } },
  worker: { format: 'es', plugins: () => [sqlite()], rollupOptions: { output: { chunkFileNames: 'assets/worker-[name]-[hash].js' } } },
})
