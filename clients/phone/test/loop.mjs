// The daily loop: a tour before anybody has joined, the first steps of a new member, wording that is changed before it is
// sent, what just happened on top of the day, quiet hours, the end of a day, a company's face, and a new version that waits
// while something is half-written.
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { added, admin, app, base, code, field, home, join, kill, must, play, profile, run, safe, serve, shot, soon, three, timed, tmp, today, told } from './lib.mjs'

const open = (page, where) => page.evaluate(h => { location.hash = h }, `#/${where}`)
const theme = (page, name) => page.evaluate(t => { document.documentElement.dataset.theme = t }, name)
/** clock is the time in so many minutes, at the member's home. */
const clock = minutes => new Date(Date.now() + minutes * 60_000).toLocaleTimeString('en-GB', { timeZone: home, hour: '2-digit', minute: '2-digit' })
/** quiet sets the member's quiet hours, in minutes from now. */
const quiet = (page, from, until) => told(page, 'setProfile', { key: 'quiet', value: `${clock(from)}-${clock(until)}` })
/** everywhere keeps pictures of what is on the screen in each theme, on a phone and on a desk. */
async function everywhere(page, name) {
  for (const t of ['light', 'dark', 'sun']) { await theme(page, t); await shot(page, `${name}-${t}`) }
  await theme(page, 'light')
  await page.setViewportSize({ width: 1280, height: 800 })
  await shot(page, `${name}-desk`)
  await page.setViewportSize({ width: 390, height: 844 })
  await page.waitForTimeout(100)
}

await play(async () => {
  const { company, member } = await field()

  // The tour.
  const guest = await profile('guest')
  const seen = performance.now()
  await guest.goto(`${base}/app/`)
  await shot(guest, 'join')
  await guest.locator('.look').click()
  await timed('looking around, to three of the sample', () => three(guest).nth(2).waitFor())
  must(performance.now() - seen < 60_000, `first open to the first suggestion in ${Math.round((performance.now() - seen) / 100) / 10} s`)
  await guest.locator('.news').waitFor()
  await soon(async () => /Priya/.test(await guest.locator('.news').textContent()), 'what just happened in the sample is on top')
  await everywhere(guest, 'tour')
  await guest.locator('.news .round').click()
  await soon(async () => await guest.locator('.pick h2').textContent() === 'Priya Raman', 'who filled in a form is first in the sample')
  await guest.locator('.pick .go .main').click()
  await guest.locator('dialog .answers .button', { hasText: 'Reached' }).click()
  await guest.locator('dialog .days').waitFor()
  await everywhere(guest, 'tour-when')
  await guest.locator('dialog .days button').first().click()
  await guest.waitForFunction(() => !document.querySelector('dialog[open]') && document.querySelector('.pick h2').textContent !== 'Priya Raman')
  must(true, 'a step of the sample is done, and the next one comes')
  await guest.locator('.foot .segments button').nth(1).click()
  await guest.locator('.pick h2', { hasText: 'Joanna' }).waitFor()
  must(true, 'a customer of 45 days is asked about a refill')
  await shot(guest, 'tour-members')
  await guest.locator('.pick .reasons .round').click()
  await guest.locator('.ends li').first().waitFor()
  await soon(async () => /an order/.test(await guest.locator('.ends').textContent()), 'what would take it off the list is said')
  await shot(guest, 'tour-why')
  await guest.locator('.ribbon button').click()
  await guest.locator('input.code').waitFor()
  const left = await guest.evaluate(async () => ({ kept: Object.keys(localStorage), files: await Array.fromAsync((await navigator.storage.getDirectory()).keys()) }))
  must(left.kept.length === 0 && !left.files.some(f => /sample|access/.test(f)), `nothing of the tour stays: ${JSON.stringify(left)}`)

  // The first steps of somebody whose book is empty, by the page of the invitation, in Spanish.
  const newbie = /[0-9a-f]{8}-[0-9a-f-]{27}/.exec(admin('member', company, 'Nuria'))[0]
  const invitation = code(newbie)
  await guest.goto(`${base}/join#${invitation}`)
  await guest.locator('#app').click()
  await guest.locator('input.code').waitFor()
  await soon(async () => await guest.locator('input.code').inputValue() === invitation, 'the page of an invitation leads to the app, the code filled in')
  await guest.locator('.welcome .quiet').click()
  await shot(guest, 'join-es')
  const used = code(member)
  await fetch(`${base}/v1/join`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ code: used, device: 'somebody' }) })
  await guest.locator('input.code').fill(used)
  await guest.locator('.button.main').click()
  await guest.locator('dialog h2', { hasText: 'Este código ya no vale' }).waitFor()
  await soon(async () => /nueva invitación/.test(await guest.locator('dialog').textContent()), 'a used code is told in Spanish, with what to do')
  await guest.locator('dialog .button.main').click()
  await guest.locator('dialog').waitFor({ state: 'detached' })
  await guest.locator('input.code').fill(invitation)
  await guest.locator('.button.main').click()
  await guest.locator('.steps').waitFor()
  await everywhere(guest, 'welcome-es')
  await guest.locator('.steps input').fill('Nuria')
  await guest.locator('.steps .button.main').click()
  await guest.locator('.steps .count').first().waitFor()
  await soon(async () => (await guest.locator('.steps .count').allTextContents()).includes('10'), 'the playbook’s own first goal is proposed')
  await shot(guest, 'welcome-goals-es')
  await guest.locator('.steps .button.main').click()
  await shot(guest, 'welcome-people-es')
  await guest.locator('.steps .button.main').click()
  await guest.locator('dialog input').first().fill('Rosa Campos')
  await guest.locator('dialog input[type=tel]').fill('+34611222333')
  await guest.getByText('Guardado al escribir').or(guest.locator('dialog [role=status]:not(:empty)')).first().waitFor()
  await guest.locator('dialog .button.main').click()
  await added(guest)
  await open(guest, '')
  await three(guest).first().waitFor()
  await soon(async () => /Rosa/.test(await guest.locator('.pick h2').textContent()) && /soy Nuria/.test(await guest.locator('.say').first().textContent()), 'the first suggestion is there, in Spanish, by the new member’s name')
  await guest.locator('.lesson').first().waitFor()
  await soon(async () => await guest.locator('.lesson').count() >= 2, 'a newcomer’s first day is beside it')
  await everywhere(guest, 'first-day-es')
  const lessons = await guest.locator('.lesson').count()
  await guest.locator('.lesson .button').last().click()
  await guest.waitForFunction(n => document.querySelectorAll('.lesson').length < n, lessons)
  await guest.close()

  // Wording that is changed before it is sent.
  const phone = await profile('phone')
  await join(phone, member)
  await quiet(phone, -120, -60) // over by now, whatever the hour
  await phone.locator('.foot .segments button').nth(1).click()
  await phone.locator('.pick h2', { hasText: 'Joanna' }).waitFor() // the whole book is there
  await phone.locator('.pick .say').click()
  await phone.locator('textarea.say').fill('Joanna, how is the tea? – Maya')
  await shot(phone, 'words')
  await phone.reload()
  await phone.locator('.foot .segments button').nth(1).click()
  await soon(async () => await phone.locator('.pick .say').textContent() === 'Joanna, how is the tea? – Maya', 'changed words outlive the page')
  await phone.locator('.pick .go .main').click()
  const links = await phone.locator('dialog [data-href]').evaluateAll(all => all.map(b => b.dataset.href))
  must(links.length === 2 && links.every(l => l.endsWith(encodeURIComponent('Joanna, how is the tea? – Maya'))) && links[0].startsWith('sms:+34622000001'), `they are in what is sent: ${links[0]}`)
  await phone.keyboard.press('Escape')
  await phone.waitForFunction(() => !document.querySelector('dialog[open]'))
  await phone.locator('.words .back').click()
  await soon(async () => /it's Maya/.test(await phone.locator('.pick .say').textContent()), 'and may be the app’s again')

  // What just happened: a system brings it through another device, and it comes to this one.
  const system = await profile('system')
  await join(system, member)
  await open(system, 'sync') // where nothing is shown of it: what one device shows comes on no other
  await system.locator('.state').waitFor()
  const [lucia] = await told(system, 'contacts', { search: 'lucía fernández ortega 611000002' })
  await told(system, 'log', { entry: { kind: 'webinar.registered', contact: lucia.id, evidence: 'E3', due: today() } })
  await phone.locator('.news').waitFor()
  await soon(async () => /Lucía/.test(await phone.locator('.news').textContent()) && await phone.locator('.news').count() === 1, async () => `what a system saw is on top, with a step: ${await phone.locator('.news').textContent()}`)
  await everywhere(phone, 'news')
  await safe(phone)
  await soon(async () => (await told(phone, 'alerts', { lang: 'en' })).length === 0, 'it is noted as shown, so that it comes on no other device again')
  await phone.locator('.news .round').click()
  await soon(async () => await phone.locator('.news').count() === 0, 'and may be put away')

  // Quiet hours.
  await quiet(phone, -60, 90)
  await phone.locator('.hush').waitFor()
  await soon(async () => /until/.test(await phone.locator('.hush').textContent()), async () => `quiet hours say until when: ${await phone.locator('.hush').textContent()}`)
  await everywhere(phone, 'quiet')
  const planned = await phone.locator('.pick h2').textContent()
  await phone.locator('.pick .button', { hasText: 'Plan it' }).click()
  await phone.locator('.toast').waitFor()
  must(true, `planned for later: ${planned}, ${await phone.locator('.toast').textContent()}`)
  await phone.locator('.pick .go .main', { hasText: 'I did it' }).waitFor()
  await soon(async () => await phone.locator('.pick h2').textContent() === planned && await phone.locator('.pick .button', { hasText: 'Plan it' }).count() === 0, 'a promise of today is not asked to be planned again')
  await quiet(phone, -120, -60)
  await phone.locator('.hush').waitFor({ state: 'detached' })

  // The end of a day.
  for (const [name, number] of [['Elena Fair', '+34655000001'], ['Omar Fair', '+34655000002']]) {
    await open(phone, 'add')
    await phone.locator('dialog input').first().fill(name)
    await phone.locator('dialog input[type=tel]').fill(number)
    await phone.getByText('Kept as you type').waitFor()
    await phone.locator('dialog .button.main').click()
    await added(phone)
  }
  const eleven = Date.now()
  await phone.clock.setFixedTime(eleven + 14 * 3_600_000)
  await phone.reload()
  await phone.locator('.note', { hasText: 'You met' }).waitFor()
  must(true, 'after midnight the day that is just over is offered to be looked at')
  await phone.clock.setFixedTime(eleven + 9 * 3_600_000)
  await phone.reload()
  await phone.locator('.note', { hasText: 'You met' }).waitFor()
  const met = Number(/\d+/.exec(await phone.locator('.note').textContent())[0])
  must(met >= 2, `in the evening the day is offered to be looked at: ${met} people`)
  await shot(phone, 'evening')
  await phone.locator('.note .button').click()
  await phone.locator('.review').waitFor()
  await everywhere(phone, 'review')
  for (let i = 1; i <= met; i++) {
    const who = await phone.locator('.review h2').first().textContent()
    if (who === 'Elena Fair') {
      await phone.locator('.review .segments button').first().click()
      await phone.locator('.review .field textarea').fill('Twins. Likes mornings.')
      await soon(async () => /Elena/.test(await phone.locator('.review .say').textContent()), 'the first message is by the app')
      await phone.locator('.days button').first().click()
    }
    await phone.locator('.thumb .main').click()
    await phone.waitForFunction(was => document.querySelector('.review h2')?.textContent !== was, who)
  }
  await phone.locator('.finished').waitFor()
  await everywhere(phone, 'review-done')
  await phone.locator('.finished .button').click()
  await three(phone).first().waitFor()
  must(await phone.locator('.note', { hasText: 'You met' }).count() === 0, 'a day that was looked at is not offered again')
  await phone.clock.setFixedTime(eleven + 14 * 3_600_000)
  await phone.reload()
  await three(phone).first().waitFor()
  await phone.waitForTimeout(500)
  must(await phone.locator('.note', { hasText: 'You met' }).count() === 0, 'nor is it after midnight')
  const [elena] = await told(phone, 'contacts', { search: 'elena fair' })
  const whole = await told(phone, 'contact', { id: elena.id })
  const log = await told(phone, 'timeline', { id: elena.id, limit: 10 })
  must(whole.note === 'Twins. Likes mornings.' && whole.tags.includes('hot') && log.some(e => e.kind === 'promise' && e.due), 'heat, note and next day are in the book')
  await phone.clock.setFixedTime(new Date())

  // Something was logged by now: a browser that can put the app on the home screen is taken at its word.
  await phone.evaluate(() => {
    window.asked = 0
    const e = Object.assign(new Event('beforeinstallprompt'), { prompt: async () => { window.asked++ }, userChoice: Promise.resolve({ outcome: 'dismissed' }) })
    dispatchEvent(e)
  })
  await phone.locator('.note', { hasText: 'one tap away' }).waitFor()
  await shot(phone, 'install')
  await open(phone, 'more')
  await soon(async () => await phone.locator('button.line-link.put').count() === 1 && /keeps|may clear/.test(await phone.locator('.keep').textContent()), async () => `it may be put on the home screen, and More says: ${await phone.locator('.keep div').textContent()}`)
  await everywhere(phone, 'more')
  await open(phone, '')
  await phone.locator('.note .button').click()
  await phone.locator('.note', { hasText: 'one tap away' }).waitFor({ state: 'detached' })
  must(await phone.evaluate(() => window.asked) === 1, 'the browser is asked once, by a tap')

  // A company's face, as published.
  for (const [name, colors, logo] of [
    ['Solea', { primary: '#e4572e', accent: '#7b2cbf', background: '#fff7ef' }, '<svg viewBox="0 0 32 32"><circle cx="16" cy="16" r="8" fill="#e4572e"/><path d="M16 2v4M16 26v4M2 16h4M26 16h4" stroke="#e4572e" stroke-width="3"/></svg>'],
    ['Northwind', { primary: '#1b4fd8', accent: '#0e7c86' }, '<svg viewBox="0 0 32 32"><path d="M4 26 16 4l12 22-12-7z" fill="#1b4fd8"/></svg>'],
  ]) {
    const file = path.join(tmp, `${name}.json`)
    const doc = JSON.parse(readFileSync(new URL('../../../ranking/playbook/default.json', import.meta.url), 'utf8'))
    writeFileSync(file, JSON.stringify({ ...doc, version: 1, brand: { name, colors, logo } }))
    run('playbook', 'publish', '--data', path.join(tmp, 'data'), '--company', company, '--force', file)
    await phone.waitForFunction(n => document.title === n, name)
    await open(phone, '')
    await everywhere(phone, `brand-${name}`)
    const contrast = () => phone.evaluate(() => {
      const rgb = s => s.match(/[\d.]+/g).slice(0, 3).map(n => { n /= 255; return n <= 0.04045 ? n / 12.92 : ((n + 0.055) / 1.055) ** 2.4 })
      const l = s => { const [r, g, b] = rgb(s); return 0.2126 * r + 0.7152 * g + 0.0722 * b }
      const s = getComputedStyle(document.querySelector('.button.main'))
      const [x, y] = [l(s.color), l(s.backgroundColor)]
      return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05)
    })
    let ratio
    await soon(async () => (ratio = await contrast()) >= 4.5, () => `the app is ${name}’s, and its buttons can be read (${ratio.toFixed(1)}:1)`) // colours change by and by
  }
  await phone.reload({ waitUntil: 'commit' })
  await phone.waitForFunction(() => document.title === 'Northwind' && document.documentElement.style.getPropertyValue('--brand-light') !== '')
  must(true, 'it is remembered for the first paint')

  // A new version waits while something is half-written.
  await phone.evaluate(() => navigator.serviceWorker.ready)
  await phone.reload() // the first visit's page is not the service worker's yet
  await three(phone).first().waitFor()
  const other = await phone.context().newPage()
  await other.goto(`${base}/app/`)
  await three(other).first().waitFor()
  await open(other, 'add')
  await other.locator('dialog input').first().fill('Half Writt')
  await kill()
  const newer = path.join(tmp, 'newer')
  cpSync(app, newer, { recursive: true })
  writeFileSync(path.join(newer, 'sw.js'), `${readFileSync(path.join(newer, 'sw.js'), 'utf8').replace(/trio-app-\w+/, 'trio-app-newer')}\n`)
  await serve('--app', newer)
  await phone.evaluate(async () => { await (await navigator.serviceWorker.getRegistration('/app/')).update() })
  await phone.locator('.newer').waitFor()
  must(await other.locator('.newer').count() === 0, 'a new version is offered, not on the tab with a half-written form')
  await shot(phone, 'update')
  await phone.evaluate(() => { window.same = true })
  await other.evaluate(() => { window.same = true })
  await phone.locator('.newer .button').click()
  await phone.locator('.newer', { hasText: 'half-written' }).waitFor()
  must(await other.evaluate(() => window.same) && await other.locator('dialog input').first().inputValue() === 'Half Writt', 'nothing is loaded again under the form, and it is said why')
  await other.locator('dialog .button.main').click()
  await added(other)
  await phone.locator('.newer .button').click()
  for (const p of [phone, other]) await p.waitForFunction(() => window.same === undefined && document.querySelectorAll('.three:not([data-kept]) > li').length > 0)
  let caches = [] // the old one's files stay until its last page is gone
  await soon(async () => (caches = await phone.evaluate(async () => (await caches.keys()).filter(n => n.startsWith('trio-app-')))).join() === 'trio-app-newer', () => `then all tabs are of the new version: ${caches}`)
  const [half] = await told(other, 'contacts', { search: 'half' })
  must(half.name === 'Half Writt', 'what was being written is in the book')

  // A tab of a build that must not work with this one gets no answer, and this one hears of it.
  const heard = await phone.evaluate(() => new Promise(done => {
    const c = new BroadcastChannel('trio-replica')
    c.onmessage = ({ data }) => { if (data.here || data.to === 'a newer build') done(data) } // what tabs of one build tell each other goes on
    c.postMessage({ v: 99, from: 'a newer build', ask: { id: 'x', method: 'member' } })
  }))
  must(heard.here && heard.v === 1, 'a newer build’s call is not answered')
  await phone.locator('.newer', { hasText: 'newer version' }).waitFor()
  must(true, 'and the older tab says so')
})
