// The cycle of a phone in a real browser against a real server:
//
//   node cycle.mjs path/to/trio path/to/app [contacts]
//
// Join by an invitation, first pull, three suggestions, one of them done; the server is killed, the page loaded again offline, a
// contact captured; the server comes back, all is sent, and a second browser of the same member has it. It fails at the
// first thing that is not so, and prints what it measured. SHOTS=folder keeps pictures of the screens.
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import chromium from '@sparticuz/chromium'
import { chromium as browsers } from 'playwright-core'

const [trio, app, contacts = '300'] = process.argv.slice(2)
if (!trio || !app) {
  console.error('usage: node cycle.mjs path/to/trio path/to/app [contacts]')
  process.exit(2)
}
const shots = process.env.SHOTS
const tmp = mkdtempSync(path.join(tmpdir(), 'trio-phone-'))
const data = path.join(tmp, 'data')
const run = (...args) => execFileSync(trio, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
const port = await new Promise(done => { const s = createServer().listen(0, '127.0.0.1', () => { const { port } = s.address(); s.close(() => done(port)) }) })
const base = `http://localhost:${port}`
let server
const ended = p => p.exitCode !== null || p.signalCode !== null ? Promise.resolve() : new Promise(done => p.once('exit', done))
async function serve() {
  server = spawn(trio, ['serve', '--data', data, '--listen', `127.0.0.1:${port}`, '--operator', '', '--app', app, '--fit-at', 'off', '--log-level', 'error', '--public-url', base], { stdio: ['ignore', 'inherit', 'inherit'] })
  for (let i = 0; ; i++) {
    try { if ((await fetch(`${base}/healthz`)).ok) return } catch { /* not yet */ }
    if (i > 200 || server.exitCode !== null) throw new Error('the server does not answer')
    await new Promise(f => setTimeout(f, 50))
  }
}
async function kill() {
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
  const ago = days => new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 10)
  return 'Customer,Phone,Date,Amount\n' + [['Joanna Reyes', '+34622000001', [105, 74, 43]], ['Pablo Iglesias', '+34622000002', [4]], ['Mercedes Vidal', '+34622000003', [95, 64, 33, 2]], ['Grace Boateng', '+34622000004', [200, 160, 120]]]
    .flatMap(([name, phone, days]) => days.map(d => `${name},${phone},${ago(d)},64.50\n`)).join('')
}

const open = []
async function profile(name, viewport = { width: 390, height: 844 }) {
  const c = await browsers.launchPersistentContext(path.join(tmp, name), {
    executablePath: await chromium.executablePath(), args: ['--no-sandbox'], headless: true, viewport, deviceScaleFactor: 2, locale: 'en-GB',
  })
  open.push(c)
  const page = c.pages()[0] ?? await c.newPage()
  page.on('console', m => { if (m.type() === 'error' && !/ERR_CONNECTION_REFUSED|ERR_INTERNET_DISCONNECTED|WebSocket|Failed to load resource/.test(m.text())) console.error(`  ${name}: ${m.text()}`) })
  page.on('pageerror', e => console.error(`  ${name}: ${e}`))
  return page
}
const shot = async (page, name) => { if (shots) { mkdirSync(shots, { recursive: true }); await page.waitForTimeout(450); await page.screenshot({ path: path.join(shots, `${name}.png`) }) } }
const measured = []
async function timed(what, f) {
  const from = performance.now()
  const out = await f()
  measured.push([what, Math.round(performance.now() - from)])
  console.log(`  ${what}: ${measured.at(-1)[1]} ms`)
  return out
}
function must(ok, what) {
  if (!ok) throw new Error(`not so: ${what}`)
  console.log(`ok  ${what}`)
}
const three = page => page.locator('.three > li')
const unsent = page => page.evaluate(() => document.querySelector('.glyph')?.className ?? '')
const safe = async page => { // nothing is only here, and the server's all is here
  await page.waitForFunction(() => document.querySelector('.glyph')?.dataset.sync === 'level', null, { timeout: 60_000 })
  await page.locator('.glyph.safe').waitFor()
}
const code = member => /code\s+(\S+)/.exec(run('admin', '--data', data, 'invite', member))[1]

try {
  const company = /\d+/.exec(run('admin', '--data', data, 'company', 'Field'))[0]
  const member = /[0-9a-f]{8}-[0-9a-f-]{27}/.exec(run('admin', '--data', data, 'member', company, 'Maya'))[0]
  await serve()
  const desk = path.join(tmp, 'desk')
  run('device', '--data', desk, 'join', base, code(member))
  writeFileSync(path.join(tmp, 'people.vcf'), vcards(Number(contacts)))
  run('device', '--data', desk, 'import', path.join(tmp, 'people.vcf'))
  for (const [name, number] of [['Tom Okafor', '+34611000001'], ['Lucía Fernández Ortega', '+34611000002'], ['Kofi Annan Boateng', '+34611000003']]) run('device', '--data', desk, 'add', name, number)
  writeFileSync(path.join(tmp, 'orders.csv'), orders())
  run('device', '--data', desk, 'import', path.join(tmp, 'orders.csv'))
  run('device', '--data', desk, 'profile', 'name=Maya', 'zone=Europe/Madrid')
  run('device', '--data', desk, 'goal', 'outreach', '3')
  run('device', '--data', desk, 'goal', 'followup', '5')
  run('device', '--data', desk, 'sync')

  const phone = await profile('phone')
  await timed('first open to the form', async () => { await phone.goto(`${base}/app/`); await phone.locator('input.code').waitFor() })
  await shot(phone, 'join')
  await phone.locator('input.code').fill('NOPE-NOPE-NOPE')
  await phone.locator('.button.main').click()
  await phone.locator('dialog h2').waitFor()
  must(true, `a wrong code is answered: ${await phone.locator('dialog h2').textContent()}`)
  await shot(phone, 'join-wrong')
  await phone.locator('dialog .button.main').click()
  await phone.locator('input.code').fill(code(member))
  await timed(`join to all of ${contacts} contacts on the phone`, async () => {
    await phone.locator('.button.main').click()
    await safe(phone)
    await three(phone).nth(2).waitFor()
  })
  must(await three(phone).count() === 3, 'three suggestions from the core')
  await shot(phone, 'today')

  const first = await phone.locator('.pick h2').textContent()
  await phone.locator('.go .square').click()
  await phone.locator('dialog .answers .button').first().waitFor()
  await shot(phone, 'ask')
  const tapped = phone.evaluate(was => new Promise(done => {
    let from = 0
    addEventListener('click', () => { from = performance.now() }, { capture: true, once: true })
    new MutationObserver(() => { if (document.querySelector('.pick h2')?.textContent !== was) requestAnimationFrame(() => done(performance.now() - from)) })
      .observe(document.body, { subtree: true, childList: true, characterData: true })
  }), first)
  await phone.locator('dialog .answers .button').first().click()
  measured.push(['tap to the next three on screen', Math.round(await tapped)])
  console.log(`  tap to the next three on screen: ${measured.at(-1)[1]} ms`)
  must(await phone.locator('.toast').isVisible(), 'what was done is said, with a way back')
  await safe(phone)
  await phone.evaluate(() => navigator.serviceWorker.ready)
  await phone.waitForFunction(async () => { // all that the app needs lies on the phone
    const names = await caches.keys()
    const all = await Promise.all(names.map(async n => (await (await caches.open(n)).keys()).map(r => r.url)))
    return all.flat().some(u => /core.*wasm/.test(u)) && all.flat().some(u => /sqlite3.*wasm/.test(u))
  })
  const before = await three(phone).allTextContents()

  await kill()
  await phone.context().setOffline(true)
  for (let i = 0; i < 3; i++) {
    await timed('offline, load to three', async () => { await phone.reload({ waitUntil: 'commit' }); await three(phone).first().waitFor() })
  }
  must(JSON.stringify(await three(phone).allTextContents()) === JSON.stringify(before), 'the same three offline, from the phone itself')
  await phone.locator('.nav .add').click()
  await phone.locator('dialog input').first().waitFor()
  await phone.keyboard.type('Nadia Offline', { delay: 15 })
  await phone.locator('dialog input[type=tel]').fill('+34 611 222 333')
  await phone.getByText('Kept as you type').waitFor()
  await shot(phone, 'add')
  await phone.locator('dialog .button.main').click()
  await phone.locator('.glyph.waits').waitFor()
  must(true, `captured offline: ${await phone.locator('.glyph').getAttribute('aria-label')}`)
  await phone.waitForFunction(() => !location.hash.includes('add'))
  await phone.reload()
  await three(phone).first().waitFor()
  must(/waits/.test(await unsent(phone)), 'after loading again it is still said to be only here')
  await shot(phone, 'today-offline')
  await phone.evaluate(() => { location.hash = '#/sync' })
  await phone.locator('.state').waitFor()
  await shot(phone, 'sync')

  await serve()
  await phone.context().setOffline(false)
  await timed('server back to all safe', () => safe(phone))
  await shot(phone, 'sync-safe')

  const second = await profile('second', { width: 1280, height: 800 })
  await second.goto(`${base}/app/#/join/${code(member)}`)
  await second.locator('input.code').waitFor()
  await second.locator('.button.main').click()
  await safe(second)
  await shot(second, 'desk-today')
  await second.evaluate(() => { location.hash = '#/import' })
  await second.locator('input[type=file]').setInputFiles({ name: 'more.csv', mimeType: 'text/csv', buffer: Buffer.from('Name,Phone\nBert Bringer,+34633000001\n,\n') })
  await second.getByText('It is in your book').waitFor()
  must(true, 'a file was brought into the book')
  await shot(second, 'desk-import')
  await second.evaluate(() => { location.hash = '#/people' })
  await second.locator('input[type=search]').fill('nadia')
  await second.getByText('Nadia Offline').waitFor()
  must(true, 'a second browser of the member has who was captured offline')
  await second.getByText('Nadia Offline').click()
  await second.getByText('+34611222333').waitFor()
  await shot(second, 'desk-person')

  // A second tab has no data open of its own, and leads when the first one closes.
  const tab = await phone.context().newPage()
  await tab.goto(`${base}/app/`)
  await three(tab).first().waitFor()
  must(true, 'a second tab is answered by the first')
  await timed('leading tab closed, the next one answers', async () => {
    await phone.close()
    await tab.evaluate(() => { location.hash = '#/goals' })
    await tab.locator('.rings').waitFor()
    await tab.evaluate(() => { location.hash = '#/people' })
    await tab.locator('.people .row').first().waitFor()
  })
  for (const screen of ['people', 'goals', 'more', 'sync']) {
    await tab.evaluate(s => { location.hash = `#/${s}` }, screen)
    await shot(tab, screen)
    await second.evaluate(s => { location.hash = `#/${s}` }, screen)
    await shot(second, `desk-${screen}`)
  }
  await tab.evaluate(() => { location.hash = '#/people' })
  await tab.locator('.people .row').nth(2).click()
  await tab.locator('.acts').waitFor()
  await shot(tab, 'person')
  await tab.locator('.acts .button').last().click()
  await shot(tab, 'person-log')
  await tab.locator('dialog .answers .button').first().click()
  await tab.locator('.time li').first().waitFor()
  must(true, 'a call that was logged by hand is in what happened')
  await safe(tab)
  await tab.evaluate(() => { location.hash = '#/'; document.documentElement.dataset.theme = 'dark' })
  await shot(tab, 'today-dark')
  await tab.evaluate(() => { document.documentElement.dataset.theme = 'sun' })
  await shot(tab, 'today-sun')
  console.log(JSON.stringify(Object.fromEntries(measured)))
} catch (e) {
  console.error(`error: ${e.stack ?? e}`)
  process.exitCode = 1
  for (const [i, c] of open.entries()) for (const p of c.pages()) await p.screenshot({ path: path.join(tmpdir(), `trio-phone-failed-${i}.png`) }).catch(() => {})
} finally {
  for (const c of open) await c.close().catch(() => {})
  if (server && server.exitCode === null) await kill()
  rmSync(tmp, { recursive: true, force: true })
}
