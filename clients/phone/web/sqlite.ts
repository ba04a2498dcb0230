import type { Plugin } from 'vite'

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

/** Calls of C's for files of Emscripten's own, in memory. The app's files are elsewhere: only /dev/urandom and the console are left. */
const calls = ['___syscall_chmod', '___syscall_faccessat', '___syscall_fchmod', '___syscall_fchown32', '___syscall_ftruncate64', '___syscall_getcwd',
  '___syscall_ioctl', '___syscall_lstat64', '___syscall_mkdirat', '___syscall_newfstatat', '___syscall_readlinkat', '___syscall_rmdir', '___syscall_stat64',
  '___syscall_unlinkat', '___syscall_utimensat', '__mmap_js', '__munmap_js']
const methods = ['syncfs', 'unmount', 'statfs', 'statfsStream', 'statfsNode', 'mkdirTree', 'rename', 'rmdir', 'readdir', 'unlink', 'readlink', 'lstat', 'doChmod', 'chmod', 'lchmod',
  'fchmod', 'doChown', 'chown', 'lchown', 'fchown', 'doTruncate', 'truncate', 'ftruncate', 'utime', 'mmap', 'msync', 'ioctl', 'readFile', 'writeFile',
  'chdir', 'quit', 'findObject', 'analyzePath', 'createPath', 'createFile', 'createDataFile', 'forceLoadFile', 'createLazyFile']
const ENOSYS = 52

/** What C's functions are wrapped for only if they are there: sessions, and tables made in JavaScript. */
const conditions = ['sqlite3changegroup_add', 'sqlite3_preupdate_hook', 'sqlite3_declare_vtab'].map(f => `if (wasm.bigIntEnabled && !!wasm.exports.${f}`)

/** sqlite leaves out of SQLite's JavaScript what the app never asks for. It fails where that has changed. */
export function sqlite(): Plugin {
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
      const once = (text: string, by: string) => {
        if (out.split(text).length !== 2) this.error(`SQLite's JavaScript has not once what it had: ${text}`)
        out = out.replace(text, () => by)
      }
      for (const c of conditions) once(c, 'if (false')
      for (const f of ['createPreloadedFile', 'preloadFile']) once(`\tFS.${f} = FS_${f};\n`, '')
      for (const f of calls) {
        const head = new RegExp(`\\n\\tfunction ${f}\\([^\\n]*\\{\\n`).exec(out)?.[0] ?? this.error(`SQLite's JavaScript has no ${f}`)
        once(head, `${head}\t\treturn -${ENOSYS};\n`)
      }
      for (const f of methods) {
        const method = new RegExp(`\\n\\t\\t${f}\\([^\\n]*\\) \\{\\n[^]*?\\n\\t\\t\\}(?=,?\\n)`).exec(out)?.[0] ?? this.error(`SQLite's JavaScript has no ${f}`)
        once(method, `\n\t\t${f}: null`)
      }
      const lines = out.replace(/^\t\tModule\["_sqlite3\w*"\] = wasmExports\["sqlite3\w*"\];\n/gm, '')
      if (lines.length === out.length) this.error('SQLite\'s JavaScript names its functions in another way than before')
      return { code: lines, map: null }
    },
  }
}
