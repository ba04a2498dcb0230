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

/**
 * What C's calls for files do instead of Emscripten's file system in memory: random numbers come from /dev/urandom, and there are no other
 * files than those of the pool, which SQLite asks for in another way.
 */
const NOSYS = 52, NOENT = 44, BADF = 8 // as WASI numbers errors; calls of the system return them negative
const calls: Record<string, string> = {
  ___syscall_openat: `return UTF8ToString(path) === '/dev/urandom' ? 3 : -${NOENT}`,
  ___syscall_fcntl64: 'return 0',
  _fd_read: `
    if (fd !== 3) return ${BADF}
    const at = HEAPU32[iov >> 2], n = Math.min(HEAPU32[iov + 4 >> 2], 65536)
    crypto.getRandomValues(HEAPU8.subarray(at, at + n))
    HEAPU32[pnum >> 2] = n
    return 0`,
  _fd_close: 'return 0',
}
for (const f of ['chmod', 'faccessat', 'fchmod', 'fchown32', 'fstat64', 'ftruncate64', 'getcwd', 'ioctl', 'lstat64', 'mkdirat', 'newfstatat', 'readlinkat', 'rmdir', 'stat64',
  'unlinkat', 'utimensat']) calls[`___syscall_${f}`] = `return -${NOSYS}`
for (const f of ['__mmap_js', '__munmap_js']) calls[f] = `return -${NOSYS}`
for (const f of ['_fd_fdstat_get', '_fd_seek', '_fd_sync', '_fd_write']) calls[f] = `return ${BADF}`

/** Nobody asks for it then. */
const objects = ['FS', 'MEMFS', 'TTY', 'PATH', 'PATH_FS', 'SYSCALLS']
const lines = ['\t\tif (!Module["noFSInit"] && !FS.initialized) FS.init();\n', '\t\tTTY.init();\n', '\t\tFS.ignorePermissions = false;\n', '\tFS.staticInit();\n',
  '\tFS.createPreloadedFile = FS_createPreloadedFile;\n', '\tFS.preloadFile = FS_preloadFile;\n']

/** What C's functions are wrapped for only if they are there: sessions, and tables made in JavaScript. */
const conditions = ['sqlite3changegroup_add', 'sqlite3_preupdate_hook', 'sqlite3_declare_vtab'].map(f => `if (wasm.bigIntEnabled && !!wasm.exports.${f}`)

/** The pool's files say of every error that it is the disk's, which would pass for damage. That there is no room has a code of its own. */
const noRoom: Record<string, string> = {
  'e.sqlite3Rc = code || capi.SQLITE_IOERR;': 'if (code && e.name === "QuotaExceededError") code = capi.SQLITE_FULL; e.sqlite3Rc = code || capi.SQLITE_IOERR;',
  'toss("Unknown write() failure.")': 'capi.SQLITE_FULL', // a part was written
}

/** sqlite leaves out of SQLite's JavaScript what the app never asks for, and has it tell a full disk. It fails where that has changed. */
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
      for (const line of lines) once(line, '')
      for (const [text, by] of Object.entries(noRoom)) once(text, by)
      for (const [f, body] of Object.entries(calls)) {
        const whole = new RegExp(`\\n(\\tfunction ${f}\\([^\\n]*\\{\\n)[^]*?\\n\\t\\}\\n`).exec(out) ?? this.error(`SQLite's JavaScript has no ${f}`)
        once(whole[0], `\n${whole[1]}${body}\n}\n`)
      }
      for (const o of objects) {
        const whole = new RegExp(`\\n\\tvar ${o} = \\{\\n[^]*?\\n\\t\\};\\n`).exec(out) ?? this.error(`SQLite's JavaScript has no ${o}`)
        once(whole[0], '\n')
      }
      const short = out.replace(/^\t\tModule\["_sqlite3\w*"\] = wasmExports\["sqlite3\w*"\];\n/gm, '')
      if (short.length === out.length) this.error('SQLite\'s JavaScript names its functions in another way than before')
      return { code: short, map: null }
    },
  }
}
