// Packs the built app for the server's program, or says whether the one packed is the one built:
//
//   node pack.mjs dist app
//   node pack.mjs dist app check
//
// Every file is packed with Brotli. The check compares what is in the packed ones: two versions of Brotli may pack alike files differently.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib'

const [dist, app, check] = process.argv.slice(2)
// SQLite's other ways to files, which the bundler finds and the app never asks for.
const unused = /sqlite3-(opfs-async-proxy|worker1)/

const files = root => readdirSync(root, { recursive: true, withFileTypes: true }).filter(f => f.isFile())
  .map(f => path.relative(root, path.join(f.parentPath ?? f.path, f.name))).sort()
const built = files(dist).filter(f => !unused.test(f))

if (check) {
  const packed = files(app)
  const wrong = [
    ...packed.filter(f => !built.includes(f.replace(/\.br$/, ''))),
    ...built.filter(f => !packed.includes(`${f}.br`) || !brotliDecompressSync(readFileSync(path.join(app, `${f}.br`))).equals(readFileSync(path.join(dist, f)))),
  ]
  if (wrong.length > 0) {
    console.error(`error: the app in ${app} is not the one that its source makes: ${wrong.join(', ')}\nrun make app, and commit ${app}`)
    process.exit(1)
  }
} else {
  rmSync(app, { recursive: true, force: true })
  let all = 0
  for (const f of built) {
    const bytes = readFileSync(path.join(dist, f))
    const small = brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 24, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } })
    mkdirSync(path.dirname(path.join(app, f)), { recursive: true })
    writeFileSync(path.join(app, `${f}.br`), small)
    all += small.length
  }
  console.log(`app: ${built.length} files, ${Math.round(all / 1000)} KB`)
}
