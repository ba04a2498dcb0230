import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import preact from '@preact/preset-vite'
import { minifySync } from 'rolldown/utils'
import { defineConfig, type Plugin } from 'vite'
import { environment } from '../core/go.mjs'

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
      const more = ['icon.svg', 'app.webmanifest']
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

/** The parts of SQLite's JavaScript by what each begins with, and whether the app needs it. */
const parts: [begins: string, needed: boolean][] = [
  ['sqlite3.version = {', true],
  ['"use strict";\n\t\t\tconst toss = (...args) => {', true], // C's functions
  ['const toss3 = (...args) => {', false], // classes around them
  ['const util = sqlite3.util;\n\t\t\tsqlite3.initWorker1API', false], // a worker with messages of its own
  ['const wasm = sqlite3.wasm, capi = sqlite3.capi, toss = sqlite3.util.toss3;\n\t\t\tconst vfs =', true],
  ['if (!sqlite3.wasm.exports.sqlite3_declare_vtab) return;', false], // virtual tables
  ['if (sqlite3.config.disable?.vfs?.kvvfs) return;', false], // files in localStorage
  ['"use strict";\n\t\t\tif (sqlite3.config.disable?.vfs?.opfs &&', false], // files by shared memory, in three parts
  ['if (!sqlite3.opfs || sqlite3.config.disable?.vfs?.opfs) return;', false],
  ['"use strict";\n\t\t\tif (sqlite3.config.disable?.vfs?.["opfs-sahpool"]) return;', true],
  ['if (!sqlite3.opfs || sqlite3.config.disable?.vfs?.["opfs-wl"]) return;', false],
]

/** sqlite leaves out the parts of SQLite's JavaScript that the app never asks for. */
function sqlite(): Plugin {
  return {
    name: 'sqlite',
    enforce: 'pre',
    transform(code, id) {
      if (!/@sqlite\.org\/sqlite-wasm\/dist\/index\.mjs/.test(id)) return
      const begin = '\t\tglobalThis.sqlite3ApiBootstrap.initializers.push(function(sqlite3) {\n\t\t\t', end = '\n\t\t});\n'
      const promiser = '//#region src/bin/sqlite3-worker1-promiser.mjs', after = '//#region src/browser.ts'
      const pieces = code.split(begin)
      if (pieces.length !== parts.length + 1 || !code.includes(promiser) || !code.includes(after)) this.error('SQLite\'s JavaScript has other parts than before: see parts')
      let out = pieces[0]!
      pieces.slice(1).forEach((piece, i) => {
        const [begins, needed] = parts[i]!
        if (!piece.startsWith(begins) || !piece.includes(end)) this.error(`part ${i} of SQLite's JavaScript begins in another way than before`)
        out += needed ? begin + piece : piece.slice(piece.indexOf(end) + end.length)
      })
      const from = out.indexOf(promiser)
      out = out.slice(0, from) + out.slice(out.indexOf(after, from)).replace('= sqlite3_worker1_promiser_default', '= null')
      return { code: out, map: null }
    },
  }
}

export default defineConfig({
  base: '/app/',
  resolve: { alias: { '@goroot': path.join(goroot, 'lib/wasm') } },
  plugins: [
    preact(),
    offline(),
  ],
  build: { target: 'es2022', outDir: '../dist', emptyOutDir: true, modulePreload: { polyfill: false } },
  worker: { format: 'es', plugins: () => [sqlite()] },
})
