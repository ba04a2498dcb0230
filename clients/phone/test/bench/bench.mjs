// What the app takes in a real browser, beside what it may take: one table. It is a measurement, no test: a busy machine fails nothing.
//
//   node bench.mjs path/to/trio path/to/app [contacts]    an app of - is the one that trio carries, packed
//
// RUNS is how often each is done (5); ONLY is a part of the table: cold, pull, reload, tap, search. CPU=0.4 is the cap. Times are by
// the page's own clock, from the navigation or from the finger, so that the program that drives the browser is not in them.
// The cap is a cgroup's: it holds for the browser and all of its processes, workers too, which CDP's throttling leaves out.
// The slow line is a relay in front of the server: it slows pages, workers and the service worker alike.
import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync, existsSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { atDesk, base, code, field, kill, ours, people, play, profile, safe, three, tmp } from '../lib.mjs'

const runs = Number(process.env.RUNS ?? 5), cpu = Number(process.env.CPU ?? 0.4)
const asked = part => !process.env.ONLY || process.env.ONLY.split(',').includes(part)
const table = []
const middle = times => { const s = times.toSorted((a, b) => a - b); return (s[(s.length - 1) >> 1] + s[s.length >> 1]) / 2 }
/** row keeps what was measured, ms unless said otherwise. */
function row(what, target, times, unit = 'ms') {
  const sorted = times.toSorted((a, b) => a - b), median = middle(times)
  table.push({ what, target: target ? `<= ${target}` : '', median: `${Math.round(median)} ${unit}`, worst: `${Math.round(sorted.at(-1))} ${unit}`, runs: sorted.length, '': target ? (median <= target ? 'ok' : 'MISSED') : '' })
  console.log(`  ${what}: ${sorted.map(t => Math.round(t)).join(', ')} ${unit}`)
}

/** watching is what the page notes of itself, before any of its own code runs. */
function watching() {
  const seen = { answers: [], three: 0, core: 0, pointer: 0 }
  globalThis.bench = seen
  const sent = new Map()
  globalThis.Worker = class extends Worker {
    constructor(...args) {
      super(...args)
      this.addEventListener('message', ({ data }) => {
        const it = sent.get(data.id)
        if (it) seen.answers.push({ method: it.method, from: it.at, to: performance.now() })
      })
    }

    postMessage(data, ...more) {
      if (data?.id) sent.set(data.id, { method: data.method, at: performance.now() })
      super.postMessage(data, ...more)
    }
  }
  addEventListener('pointerup', e => { seen.pointer = e.timeStamp }, { capture: true })
  seen.painted = f => requestAnimationFrame(() => { // after the frame that was asked for, not before it
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => f(performance.now())
    port2.postMessage(0)
  })
  const look = () => {
    if (!seen.three && document.querySelector('.three > li')) seen.painted(at => { seen.three ||= at })
    if (!seen.core && document.querySelector('.three:not([data-kept]) > li')) seen.painted(at => { seen.core ||= at })
    return seen.three && seen.core
  }
  const observer = new MutationObserver(() => { if (look()) observer.disconnect() })
  observer.observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ['data-kept'] })
}

async function phone(name) {
  const page = await profile(name)
  group?.take(name)
  await page.addInitScript(watching)
  return page
}

/** processes are the browser's with this profile, and all of their children. */
function processes(name) {
  const parents = new Map(), mine = new Set()
  for (const pid of readdirSync('/proc').filter(p => /^\d+$/.test(p))) {
    try {
      parents.set(pid, /\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))[1])
      if (readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(path.join(tmp, name))) mine.add(pid)
    } catch { /* it has ended */ }
  }
  for (let n = -1; n !== mine.size;) {
    n = mine.size
    for (const [pid, parent] of parents) if (mine.has(parent)) mine.add(pid)
  }
  return [...mine]
}

// A cgroup for the browser, of either version; null where we may not make one. It has the greatest weight, so that what else
// the machine does gets less in the way.
const group = (() => {
  const v2 = existsSync('/sys/fs/cgroup/cgroup.controllers')
  const dirs = (v2 ? [''] : ['cpu', 'cpuacct']).map(c => path.join('/sys/fs/cgroup', c, `trio-bench-${process.pid}`))
  const dir = dirs[0]
  try {
    if (v2) writeFileSync('/sys/fs/cgroup/cgroup.subtree_control', '+cpu')
    for (const d of dirs) mkdirSync(d)
    writeFileSync(`${dir}/${v2 ? 'cpu.weight' : 'cpu.shares'}`, v2 ? '10000' : '102400')
    return {
      take(name) {
        for (const pid of processes(name)) for (const d of dirs) try { writeFileSync(`${d}/cgroup.procs`, pid) } catch { /* it has ended */ }
      },
      /** cap is the share of a processor that may be used; 0 is all. */
      cap(share) {
        if (v2) writeFileSync(`${dir}/cpu.max`, share ? `${share * 100_000} 100000` : 'max 100000')
        else writeFileSync(`${dir}/cpu.cfs_quota_us`, String(share ? share * 100_000 : -1))
      },
      /** used is the processor's time so far, ms. */
      used: () => v2 ? Number(/usage_usec (\d+)/.exec(readFileSync(`${dir}/cpu.stat`, 'utf8'))[1]) / 1000 : Number(readFileSync(`${dirs[1]}/cpuacct.usage`, 'utf8')) / 1e6,
      remove() {
        for (const d of dirs) try { rmdirSync(d) } catch { /* a process is still at its end: the next boot clears it */ }
      },
    }
  } catch {
    return null
  }
})()

/** line is a slow way to the server: each way waits, and all bytes to the browser share a rate. */
function line(to, { rate, wait }) {
  let free = 0 // when the line has sent what it was given
  return new Promise(done => {
    const server = createServer(near => {
      const far = connect(to, '127.0.0.1')
      far.setNoDelay()
      near.on('data', b => setTimeout(() => far.write(b), wait / 2))
      far.on('data', b => {
        const now = performance.now()
        free = Math.max(now, free) + b.length / rate * 1000
        if (free - now > 250) { far.pause(); setTimeout(() => far.resume(), free - now - 200) }
        setTimeout(() => near.write(b), free - now + wait / 2)
      })
      for (const [a, b] of [[near, far], [far, near]]) {
        a.on('error', () => b.destroy())
        a.on('close', () => setTimeout(() => b.end(), wait * 4))
      }
    }).listen(0, '127.0.0.1', () => done({ port: server.address().port, close: () => server.close() }))
  })
}

/** book gives the member 300 actions: orders of 90 people, and 30 calls. */
function book() {
  const ago = days => new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 10)
  const number = i => `+346${String(i * 7).padStart(8, '0')}`
  const orders = Array.from({ length: 270 }, (_, i) => `,${number(i % 90)},${ago(3 + (i * 5) % 200)},${20 + i % 50}.50\n`)
  writeFileSync(path.join(tmp, 'many.csv'), 'Customer,Phone,Date,Amount\n' + orders.join(''))
  atDesk('import', path.join(tmp, 'many.csv'))
  for (let i = 0; i < 30; i++) atDesk('log', 'call', number(100 + i), i % 3 ? 'answered' : 'no_answer')
  atDesk('sync')
}

const firstPaint = page => page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0)
const settled = page => page.waitForFunction(() => globalThis.bench?.core > 0, null, { timeout: 120_000 })

/** joins opens the app on a new phone and joins; it returns the page and how long the first pull took. */
async function joins(name, member) {
  const page = await phone(name)
  await page.goto(`${base}/app/`)
  await page.locator('input.code').fill(code(member))
  while (!(await stagesOf(page)).core) await sleep(50) // how it came is no part of the pull
  await page.evaluate(() => {
    globalThis.pulled = new Promise(done => {
      const observer = new MutationObserver(() => {
        if (document.querySelector('.glyph')?.dataset.sync !== 'level' || document.querySelectorAll('.three > li').length < 3) return
        observer.disconnect()
        globalThis.bench.painted(at => done(at - globalThis.bench.pointer))
      })
      observer.observe(document, { subtree: true, childList: true, attributes: true })
    })
  })
  const before = group?.used()
  await page.locator('.button.main').click()
  const took = await page.evaluate(() => globalThis.pulled)
  const used = group?.used() - before
  await safe(page)
  return { page, took, used }
}

async function cold(slow) {
  const paint = [], form = [], core = []
  for (let i = 0; i < (slow ? Math.min(runs, 3) : runs); i++) {
    const page = await phone(`cold${slow ? 's' : ''}${i}`)
    const way = slow ? await line(Number(new URL(base).port), { rate: 200_000, wait: 150 }) : null
    const at = way ? `http://localhost:${way.port}` : base
    ours.add(at)
    await page.goto(`${at}/app/`)
    await page.locator('input.code').waitFor({ timeout: 120_000 })
    form.push(await page.evaluate(() => globalThis.bench.answers[0].to))
    paint.push(await firstPaint(page))
    let stages
    while (!(stages = await stagesOf(page)).core) await sleep(50)
    core.push(stages.core)
    await page.context().close()
    way?.close()
  }
  const how = slow ? ' at 1.6 Mbit/s and 150 ms' : ''
  row(`first visit${how}: first paint`, 0, paint)
  row(`first visit${how}: the form to join`, 0, form)
  row(`first visit${how}: the core is ready`, 0, core)
}

/** stagesOf is when the worker came how far, by the page's clock. */
async function stagesOf(page) {
  const start = await page.evaluate(() => performance.timeOrigin)
  const marks = await page.workers()[0]?.evaluate(() => [['began', performance.timeOrigin], ...performance.getEntriesByType('mark').map(m => [m.name, performance.timeOrigin + m.startTime])]) ?? []
  const answers = await page.evaluate(() => globalThis.bench.answers.slice(0, 5).map(a => [a.method, a.to]))
  return Object.fromEntries([...marks.map(([k, t]) => [k, t - start]), ...answers.map(([k, t]) => [`${k}()`, t])])
}

async function reloads(page, cap) {
  const paint = [], shown = [], core = [], stages = [], used = []
  if (cap) group.cap(cap)
  for (let i = 0; i <= runs; i++) {
    const before = group?.used()
    await page.reload({ waitUntil: 'commit' })
    await settled(page)
    if (i > 0) used.push(group?.used() - before)
    await sleep(cap ? 1500 : 700)
    if (i === 0) continue // the one that fills caches
    const seen = await page.evaluate(() => ({ three: globalThis.bench.three, core: globalThis.bench.core }))
    paint.push(await firstPaint(page))
    shown.push(seen.three)
    core.push(seen.core)
    stages.push(await stagesOf(page))
  }
  if (cap) group.cap(0)
  const how = cap ? ` at ${cap} of a processor` : ''
  console.log(`  stages of the start${how}, ms: ${Object.keys(stages[0]).map(k => `${k} ${Math.round(middle(stages.map(s => s[k])))}`).join(', ')}`)
  row(`offline reload${how}: first paint`, 0, paint)
  row(`offline reload${how}: three on screen, as last shown`, 0, shown)
  row(`offline reload${how}: three from the core`, cap ? 2000 : 600, core)
  if (group) row(`offline reload${how}: processor's time for that, all processes`, 0, used)
}

/** opens starts the browser anew, with no server there. */
async function opens(page, name) {
  const shown = [], core = []
  for (let i = 0; i < Math.min(runs, 3); i++) {
    await page.context().close()
    page = await phone(name)
    await page.context().setOffline(true)
    await page.goto(`${base}/app/`)
    await settled(page)
    await sleep(1000)
    const seen = await page.evaluate(() => ({ three: globalThis.bench.three, core: globalThis.bench.core }))
    shown.push(seen.three)
    core.push(seen.core)
  }
  row('opened offline in a browser just started: three on screen, as last shown', 0, shown)
  row('opened offline in a browser just started: three from the core', 0, core)
  return page
}

async function taps(page) {
  const disk = [], next = []
  for (let i = 0; i < runs * 2; i++) {
    const first = await page.locator('.pick h2').first().textContent()
    await page.locator('.go .square').first().click()
    await page.locator('dialog .answers .button').first().waitFor()
    await sleep(300)
    const shown = page.evaluate(was => new Promise(done => {
      const observer = new MutationObserver(() => {
        if (document.querySelector('.pick h2')?.textContent === was) return
        observer.disconnect()
        globalThis.bench.painted(done)
      })
      observer.observe(document.body, { subtree: true, childList: true, characterData: true })
    }), first)
    await page.locator('dialog .answers .button', { hasText: 'Not ready' }).click() // nothing more is asked then
    const at = await shown
    await sleep(800) // a celebration, and what it asks for
    const seen = await page.evaluate(() => ({ all: globalThis.bench.answers.filter(a => a.method === 'act') }))
    const from = await page.evaluate(() => globalThis.bench.pointer)
    disk.push(seen.all.at(-1).to - from)
    next.push(at - from)
  }
  row('tap to done on disk', 50, disk)
  row('tap to the next three on screen', 0, next)
}

async function searches(page) {
  await page.evaluate(() => { location.hash = '#/people' })
  await page.locator('.people .row').first().waitFor()
  await page.locator('input[type=search]').focus()
  const took = []
  for (const key of [...'tom villa', 'Backspace', 'Backspace', 'Backspace', 'Backspace', 'Backspace', ...' 0'].slice(0, runs * 3)) {
    await sleep(500)
    await page.evaluate(() => {
      const seen = globalThis.searched = { from: 0, to: 0 }
      document.querySelector('input[type=search]').addEventListener('keydown', e => { seen.from = e.timeStamp }, { once: true })
      const observer = new MutationObserver(() => globalThis.bench.painted(at => { if (seen.from) seen.to ||= at }))
      observer.observe(document.querySelector('main'), { subtree: true, childList: true, characterData: true })
    })
    await page.keyboard.press(key)
    await sleep(400)
    const { from, to } = await page.evaluate(() => globalThis.searched)
    if (to) took.push(to - from) // else the same rows were the answer
  }
  row(`search of ${people}: keystroke to rows`, 0, took)
}

/** memory is what the page's process holds for itself and its share of what it shares, MB. */
function memory(name) {
  const renderers = processes(name).filter(pid => { try { return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('--type=renderer') } catch { return false } })
  return renderers.map(pid => Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))[1]) / 1024)
}

await play(async () => {
  if (people < 1000) throw new Error(`${people} contacts are too few to measure with: give 1000 or more`)
  const { member } = await field()
  book()
  if (asked('cold')) {
    await cold(false)
    await cold(true)
  }
  const pulls = [], used = []
  let page, name
  for (let i = 0; i < (asked('pull') ? Math.min(runs, 3) : 1); i++) {
    await page?.context().close()
    name = `phone${i}`
    const it = await joins(name, member)
    page = it.page
    pulls.push(it.took)
    used.push(it.used)
  }
  if (asked('pull')) {
    row(`first pull of ${people} contacts and 300 actions`, 5000, pulls)
    if (group) row("first pull: processor's time, all processes", 0, used)
  }
  await page.evaluate(() => navigator.serviceWorker.ready)
  await page.waitForFunction(async () => {
    const all = await Promise.all((await caches.keys()).map(async n => (await (await caches.open(n)).keys()).map(r => r.url)))
    return all.flat().some(u => /core.*wasm/.test(u)) && all.flat().some(u => /sqlite3.*wasm/.test(u))
  })
  await page.reload()
  await three(page).first().waitFor()
  await safe(page)
  await sleep(3000) // what is folded after a pull
  if (asked('tap')) await taps(page)
  if (asked('search')) await searches(page)
  await page.evaluate(() => { location.hash = '#/' })
  await kill()
  await page.context().setOffline(true)
  if (asked('reload')) {
    await reloads(page, 0)
    if (group) await reloads(page, cpu)
    else console.log(`no cgroup can be made here (that takes root): nothing is measured at ${cpu} of a processor`)
    page = await opens(page, name)
    row('memory of the page, its worker, core and SQLite', 0, memory(name), 'MB')
  }
  console.table(table)
})
group?.remove()
