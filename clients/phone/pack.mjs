// Packs the built app for the server's program, or says whether the one packed is the one built:
//
//   node pack.mjs dist app
//   node pack.mjs dist app check
//
// Every file is packed with Brotli. Both fail above the budgets of what a first visit loads. The check compares what is in the packed ones: two versions of Brotli may pack alike files differently.
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib'

const [dist, app, check] = process.argv.slice(2)
// SQLite's other ways to files, which the bundler finds and the app never asks for.
const unused = /sqlite3-(opfs-async-proxy|worker1)/

const files = root => readdirSync(root, { recursive: true, withFileTypes: true }).filter(f => f.isFile())
  .map(f => path.relative(root, path.join(f.parentPath ?? f.path, f.name))).sort()
// KB, packed.
const budgets = [['the core', /^assets\/core-.*\.packed$/, 800], ['SQLite', /^assets\/sqlite3-.*\.wasm$/, 360], ['JavaScript of the first screens', /^assets\/index-.*\.js$/, 44],
  ['JavaScript of the worker', /^assets\/worker-.*\.js$/, 36],
  ['screens and words that come later', /^assets\/later-.*\.js$/, 60], ['the rest', null, 20], ['all', /^/, 1250]]
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

/** of is what a file counts as: the first that it is, and all. */
const of = f => [budgets.find(([, is]) => is?.test(f) && is.source !== '^')?.[0] ?? 'the rest', 'all']
console.log('what a first visit loads, KB:')
for (const [what, is, budget] of budgets) {
  const mine = files(app).filter(f => of(f.replace(/\.br$/, '')).includes(what))
  const kb = mine.reduce((sum, f) => sum + statSync(path.join(app, f)).size, 0) / 1000
  console.log(`  ${what.padEnd(36)}${kb.toFixed(1).padStart(8)}  of ${budget}`)
  if (mine.length === 0) fail(`there is nothing of ${what}`)
  if (kb > budget) fail(`${what}: ${kb.toFixed(1)} KB is above the budget of ${budget}`)
}

function fail(why) {
  console.error(`error: ${why}`)
  process.exitCode = 1
}
