// What the tests of the app share: a real server with a member's book, and real browsers.
//
//   node <test>.mjs path/to/trio path/to/app [contacts]    an app of - is the one that trio carries
//
// SHOTS=folder keeps pictures of the screens.
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import chromium from '@sparticuz/chromium'
import { chromium as browsers } from 'playwright-core'

export const [trio, app, contacts = '300'] = process.argv.slice(2)
if (!trio || !app) {
  console.error(`usage: node ${path.basename(process.argv[1])} path/to/trio path/to/app [contacts]`)
  process.exit(2)
}
const shots = process.env.SHOTS
const patience = 60_000 // ms for what comes: a busy machine may stand still for seconds
export const people = Number(contacts)
export const tmp = mkdtempSync(path.join(tmpdir(), 'trio-phone-'))
export const data = path.join(tmp, 'data')
const desk = path.join(tmp, 'desk')
export const run = (...args) => execFileSync(trio, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
export const admin = (...args) => run('admin', '--data', data, ...args)
/** atDesk is a command on the member's other device, a native one. */
export const atDesk = (...args) => run('device', '--data', desk, ...args)
/** home is where the member lives and the phones are: a zone where it is some time after eleven now, so that no test meets quiet hours or
 * the end of a day by the hour at which it is played. today is the date there, as is any day before. */
export const home = (h => `Etc/GMT${h < 0 ? '' : '+'}${h}`)(new Date().getUTCHours() - 11) // the signs are those of old Unix
export const today = (ago = 0) => new Date(Date.now() - ago * 86_400_000).toLocaleDateString('en-CA', { timeZone: home, year: 'numeric', month: '2-digit', day: '2-digit' })
const port = await new Promise(done => { const s = createServer().listen(0, '127.0.0.1', () => { const { port } = s.address(); s.close(() => done(port)) }) })
export const base = `http://localhost:${port}`
let server
const ended = p => p.exitCode !== null || p.signalCode !== null ? Promise.resolve() : new Promise(done => p.once('exit', done))

export async function serve(...more) {
  server = spawn(trio, ['serve', '--data', data, '--listen', `127.0.0.1:${port}`, '--operator', '', ...(app === '-' ? [] : ['--app', app]), '--fit-at', 'off', '--log-level', 'error', '--public-url', base, ...more], { stdio: ['ignore', 'inherit', 'inherit'] })
  for (const until = Date.now() + patience; ;) {
    try { if ((await fetch(`${base}/healthz`)).ok) return } catch { /* not yet */ }
    if (Date.now() > until || server.exitCode !== null) throw new Error('the server does not answer')
    await new Promise(f => setTimeout(f, 50))
  }
}

export async function kill() {
  server.kill('SIGKILL')
  await ended(server)
}

function vcards(n) {
  const first = ['Ana', 'Tom', 'Joanna', 'Lucía', 'Ben', 'Mercedes', 'Kwame', 'Aisha', 'Pablo', 'Ingrid', 'Mateo', 'Zoë', 'Priya', 'Chen']
  const last = ['Torres', 'Okafor', 'Whitfield', 'Fernández Ortega', 'Mensah', 'Villanueva', 'Ruiz', 'Novak', 'Lindqvist', 'García', 'Adeyemi']
  return Array.from({ length: n }, (_, i) => `BEGIN:VCARD\r\nVERSION:3.0\r\nFN:${first[i % first.length]} ${last[i % last.length]}\r\nTEL;TYPE=CELL:+346${String(i).padStart(8, '0')}\r\n` +
    `EMAIL:p${i}@example.com\r\nNOTE:met at the fair\r\nCATEGORIES:fair-${i % 7}\r\nEND:VCARD\r\n`).join('')
}

function orders() {
  return 'Customer,Phone,Date,Amount\n' + [['Joanna Reyes', '+34622000001', [105, 74, 43]], ['Pablo Iglesias', '+34622000002', [4]], ['Mercedes Vidal', '+34622000003', [95, 64, 33, 2]], ['Grace Boateng', '+34622000004', [200, 160, 120]]]
    .flatMap(([name, phone, days]) => days.map(d => `${name},${phone},${today(d)},64.50\n`)).join('')
}

/** field starts a server with a company and Maya, whose book of people and orders a native device brought in, and returns her ids. */
export async function field() {
  const company = /\d+/.exec(admin('company', 'Field'))[0]
  const member = /[0-9a-f]{8}-[0-9a-f-]{27}/.exec(admin('member', company, 'Maya'))[0]
  await serve()
  atDesk('join', base, code(member))
  writeFileSync(path.join(tmp, 'people.vcf'), vcards(people))
  atDesk('import', path.join(tmp, 'people.vcf'))
  for (const [name, number] of [['Tom Okafor', '+34611000001'], ['Lucía Fernández Ortega', '+34611000002'], ['Kofi Annan Boateng', '+34611000003']]) atDesk('add', name, number)
  writeFileSync(path.join(tmp, 'orders.csv'), orders())
  atDesk('import', path.join(tmp, 'orders.csv'))
  atDesk('profile', 'name=Maya', `zone=${home}`)
  atDesk('goal', 'outreach', '3')
  atDesk('goal', 'followup', '5')
  atDesk('sync')
  return { company, member }
}

/** code is a new invitation of a member's. */
export const code = member => /code\s+(\S+)/.exec(admin('invite', member))[1]

const open = []
/** ours are where the server can be reached. */
export const ours = new Set([base])
const foreign = new Set() // what was asked of anybody else
const refused = new Set() // what the page's policy stopped
/** profile is a browser of its own: a phone, unless it is given another size. more are arguments of the browser's. */
export async function profile(name, viewport = { width: 390, height: 844 }, ...more) {
  const c = await browsers.launchPersistentContext(path.join(tmp, name), {
    executablePath: await chromium.executablePath(), args: ['--no-sandbox', ...more], headless: true, viewport, deviceScaleFactor: 2, locale: 'en-GB', timezoneId: home,
  })
  open.push(c)
  c.setDefaultTimeout(patience)
  c.on('request', r => { if (!ours.has(new URL(r.url()).origin) && !/^(data|blob|about):/.test(r.url())) foreign.add(r.url()) })
  await c.exposeBinding('policyStopped', (_, what) => { refused.add(what) })
  await c.addInitScript(() => { addEventListener('securitypolicyviolation', e => { void window.policyStopped(`${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}:${e.lineNumber} ${e.sample}`) }) })
  const page = c.pages()[0] ?? await c.newPage()
  page.on('console', m => { if (m.type() === 'error' && !/ERR_CONNECTION_REFUSED|ERR_INTERNET_DISCONNECTED|WebSocket|Failed to load resource/.test(m.text())) console.error(`  ${name}: ${m.text()}`) })
  page.on('pageerror', e => console.error(`  ${name}: ${e}`))
  return page
}
export const shot = async (page, name) => { if (shots) { mkdirSync(shots, { recursive: true }); await page.waitForTimeout(450); await page.screenshot({ path: path.join(shots, `${name}.png`) }) } }
/** everywhere keeps pictures of a screen in all themes. */
export async function everywhere(page, name) {
  if (!shots) return
  const was = await page.evaluate(() => document.documentElement.dataset.theme)
  for (const theme of ['light', 'dark', 'sun']) {
    await page.evaluate(v => { document.documentElement.dataset.theme = v }, theme)
    await shot(page, `${name}-${theme}`)
  }
  await page.evaluate(v => { document.documentElement.dataset.theme = v }, was)
}
/** at goes to a screen, click taps what says a text. */
export const at = async (page, where) => { await page.evaluate(w => { location.hash = `#/${w}` }, where) }
export const click = (page, text) => page.getByText(text, { exact: true }).first().click()
/** added waits until the sheet of somebody new is gone: it goes back to where it was opened from, whatever a test goes to before. */
export const added = page => page.waitForFunction(() => !document.querySelector('dialog[open]') && !location.hash.includes('add'))
export const measured = []
export async function timed(what, f) {
  const from = performance.now()
  const out = await f()
  measured.push([what, Math.round(performance.now() - from)])
  console.log(`  ${what}: ${measured.at(-1)[1]} ms`)
  return out
}
export function must(ok, what) {
  if (!ok) throw new Error(`not so: ${what}`)
  console.log(`ok  ${what}`)
}
/** soon is must for what comes about in a moment: it is looked at until it is so. */
export async function soon(ok, what) {
  const say = async () => (typeof what === 'string' ? what : await what())
  for (const until = Date.now() + patience; !await ok(); ) {
    if (Date.now() > until) throw new Error(`not so: ${await say()}`)
    await new Promise(done => setTimeout(done, 50))
  }
  console.log(`ok  ${await say()}`)
}
/** three are the suggestions that the device made, and not those that a page shows again until it has. */
export const three = page => page.locator('.three:not([data-kept]) > li')
export const unsent = page => page.evaluate(() => document.querySelector('.glyph')?.className ?? '')
export const safe = async page => { // nothing is only here, and the server's all is here
  await page.waitForFunction(() => document.querySelector('.glyph')?.dataset.sync === 'level', null, { timeout: 60_000 })
  await page.locator('.glyph.safe').waitFor()
}

/** told asks the device of a page by the way that its other tabs have, as a system of the company's would through a device. */
export const told = (page, method, args) => page.evaluate(([method, args]) => new Promise(done => {
  const from = crypto.randomUUID(), id = crypto.randomUUID(), c = new BroadcastChannel('trio-replica')
  c.onmessage = ({ data }) => { if (data.to === from) { clearInterval(again); c.close(); done(data.answer.out ? JSON.parse(data.answer.out) : data.answer) } }
  const send = () => c.postMessage({ v: 1, from, ask: { id, key: id, method, args } })
  const again = setInterval(send, 1000) // a tab that is about to lead hears of it late; the key makes a repeat no second write
  send()
}), [method, args])

/** join makes a page one of the member's devices, by hand. */
export async function join(page, member) {
  await page.goto(`${base}/app/`)
  await page.locator('input.code').fill(code(member))
  await page.locator('.button.main').click()
  await safe(page)
  await three(page).first().waitFor()
}

/** play runs a test: its end is the process's, and pictures are left of what failed. */
export async function play(test) {
  try {
    await test()
    must(foreign.size === 0, `nothing was asked of anybody but the server${[...foreign].map(u => `: ${u}`)}`)
    must(refused.size === 0, `nothing was against the page's policy${[...refused].map(v => `: ${v}`)}`)
    if (measured.length > 0) console.log(JSON.stringify(Object.fromEntries(measured)))
  } catch (e) {
    console.error(`error: ${e.stack ?? e}`)
    process.exitCode = 1
    for (const [i, c] of open.entries()) for (const p of c.pages()) {
      for (const said of await p.locator('dialog[open], [role=alert]').allInnerTexts().catch(() => [])) console.error(`  ${i} says: ${said.replace(/\s+/g, ' ')}`)
      await p.screenshot({ path: path.join(tmpdir(), `trio-phone-failed-${path.basename(process.argv[1], '.mjs')}-${i}.png`) }).catch(() => {})
    }
  } finally {
    for (const c of open) await c.close().catch(() => {})
    if (server && server.exitCode === null) await kill()
    rmSync(tmp, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }) // a browser writes for a moment more
  }
}
