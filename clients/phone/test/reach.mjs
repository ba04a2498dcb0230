// Whether everybody can use the screens: every screen of the table and every sheet, in each theme, on a phone and on a desk,
// looked at by axe (WCAG 2.2 AA and its best practice); nothing wider than a narrow phone, no target smaller than a thumb,
// the keyboard's way to the first action. It prints all that is wrong before it fails.
// The person, the rules and the codes that it looks at are somebody's who would rather have the app run what they wrote.
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import axe from 'axe-core'
import { encode } from 'uqr'
import { atDesk, base, data, field, join, must, people, play, profile, run, tmp, today, told } from './lib.mjs'

const source = readFileSync(new URL('../web/src/screens/index.ts', import.meta.url), 'utf8')
const table = source.slice(source.indexOf('const screens'))
const screens = [...table.matchAll(/^ {2}'?(\w*)'?: /gm)].map(m => m[1])

const evil = '<img src=x onerror="hacked=1">'
const foe = `${evil}<svg/onload=hacked=2>`
const card = `BEGIN:VCARD\r\nVERSION:3.0\r\nFN:${foe}\r\nTEL;TYPE=CELL:+34699000222\r\nEMAIL:javascript:hacked=3//@example.com\r\nORG:${evil}\r\nURL:javascript:hacked=4\r\nNOTE:${evil} javascript:hacked=5\r\nCATEGORIES:${evil}\r\nEND:VCARD\r\n`

/** code is a picture of a QR code. */
const code = (page, text) => {
  const { data: rows, size } = encode(text, { ecc: 'M', border: 4 })
  return page.evaluate(async ([rows, size]) => {
    const canvas = new OffscreenCanvas(size * 6, size * 6)
    const c = canvas.getContext('2d')
    c.fillStyle = '#fff'; c.fillRect(0, 0, size * 6, size * 6); c.fillStyle = '#000'
    rows.forEach((row, y) => row.forEach((on, x) => { if (on) c.fillRect(x * 6, y * 6, 6, 6) }))
    return [...new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer())]
  }, [rows, size])
}
const show = (page, bytes) => page.locator('.lens ~ label input[type=file]').setInputFiles({ name: `${evil}.png`, mimeType: 'image/png', buffer: Buffer.from(bytes) })

/** sheets are what lies over a screen, or open on it: where, how it is opened, and what is there then. */
const sheets = [
  ['', 'ask', '.go .square'],
  ['', 'words changed', '.words .edit button', 'textarea.say'],
  ['', 'why', '.reasons .round', '.ends li'],
  ['', 'ways', '.segments button:nth-child(2)', '.go .button.main', '.answers [data-href^="sms:"]'],
  ['', 'number', '.segments button:nth-child(1)', '.card:has-text("Nobody")', '.go .square[aria-label*="reach"]', 'dialog[open] input'],
  ['card/read', 'card', page => show(page, codes.card), 'dialog[open] .list'],
  ['card/read', 'text', page => show(page, codes.text), 'dialog[open] .read'],
  ['goals', 'goals set', '.card .button.quiet'],
  ['import', 'trouble', page => page.locator('input[type=file]').setInputFiles({ name: `${evil}.csv`, mimeType: 'text/csv', buffer: Buffer.from(`${evil},"\n`) })],
  ['person', 'log', '.acts .button:last-child'],
  ['person', 'when next', '.acts .button:last-child', '.answers .button:has-text("Reached")', 'dialog .days'],
  ['person', 'change', '.change', 'form.edit'],
  ['person', 'remove', '.change', 'form.edit .danger', 'dialog .button.danger'],
  ['person/nobody', 'way to reach', 'button.line-link'],
  ['share', 'hand over', '.piece'],
  ['share/person', 'hand over to one', '.piece'],
  ['more', 'by hand', '.put'],
  ['more', 'leave', '.leave'],
  ['add', 'add', null],
  ['welcome', 'goals', '.button.main', '.steps .count'],
]
const codes = {}

await play(async () => {
  must(screens.length > 6 && screens.includes('people'), `the table has ${screens.length} screens: ${screens.map(s => s || 'today').join(', ')}`)
  const { company, member } = await field()
  const book = JSON.parse(readFileSync(new URL('../../../ranking/playbook/default.json', import.meta.url), 'utf8'))
  const hostile = v => (typeof v === 'string' ? `${evil} ${v}` : Array.isArray(v) ? v.map(hostile) : Object.fromEntries(Object.entries(v).map(([k, x]) => [k, hostile(x)])))
  book.greeting = hostile(book.greeting)
  for (const p of book.pieces) { p.title = hostile(p.title); p.summary = hostile(p.summary) }
  for (const m of book.goals.metrics) m.label = hostile(m.label)
  const rules = path.join(tmp, 'rules.json')
  writeFileSync(rules, JSON.stringify({ ...book, version: 1, brand: { name: evil } }))
  run('playbook', 'publish', '--data', data, '--company', company, '--force', rules)
  writeFileSync(path.join(tmp, 'foe.vcf'), card)
  atDesk('import', path.join(tmp, 'foe.vcf'))
  atDesk('add', 'Nobody Reached')
  atDesk('sync')
  const phone = await profile('phone')
  await phone.addInitScript(() => { Object.defineProperty(navigator, 'userAgent', { value: `${navigator.userAgent} iPhone` }) }) // there the app is installed by hand
  await phone.goto(`${base}/app/`)
  await phone.locator('input.code').waitFor()
  codes.card = await code(phone, card)
  codes.text = await code(phone, `javascript:hacked=6 ${foe}`)
  const wrong = new Map()
  let looked = 0
  const found = (what, where) => { wrong.set(what, [...(wrong.get(what) ?? []), where]) }

  /** look is one at the screen; while what is on it still comes in it may find what goes, and looks again. */
  const look = async (where, more = {}) => {
    looked++
    let all = []
    for (let i = 0; i === 0 || (all.length > 0 && i < 5); i++) {
      if (i > 0) await phone.waitForTimeout(300)
      all = []
      await see(what => all.push(what), more)
    }
    for (const what of all) found(what, where)
  }
  const see = async (found, { targets = false }) => {
    const rules = { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'], resultTypes: ['violations'] }
    if (!await phone.evaluate(() => !!globalThis.axe)) await phone.evaluate(`${axe.source}; 0`)
    const { violations } = await phone.evaluate(r => globalThis.axe.run(document, r), rules)
    for (const v of violations) for (const n of v.nodes.slice(0, 3)) found(`${v.id}: ${v.help}: ${n.html.slice(0, 140)}${n.any[0]?.message ? ` (${n.any[0].message.slice(0, 160)})` : ''}`)
    const wide = await phone.evaluate(() => document.documentElement.scrollWidth - innerWidth)
    if (wide > 0) found(`${wide} px wider than the screen`)
    if (!targets) return
    const small = await phone.evaluate(() => [...document.querySelectorAll('button, a[href], input:not([type=file]):not(.hide), select, summary, textarea, label.button')]
      .filter(e => e.checkVisibility() && !e.closest('.hide') && !(e.tagName === 'A' && e.closest('h2, p')) && !e.closest('label'))
      .map(e => ({ e: e.outerHTML.slice(0, 110), r: e.getBoundingClientRect() })).filter(({ r }) => r.width > 0 && (r.height < 43.5 || r.width < 43.5))
      .map(({ e, r }) => `${Math.round(r.width)}x${Math.round(r.height)} px: ${e}`))
    for (const s of small) found(`a target of ${s}`)
  }
  const open = async screen => {
    await phone.evaluate(h => { location.hash = h }, `#/${screen.replace(/^person$/, `person/${someone}`).replace(/nobody$/, nobody.id).replace(/^share\/person$/, `share/${someone}`)}`)
    await phone.waitForTimeout(120) // what comes in has come
  }
  await look('join', { targets: true })
  await join(phone, member)
  await phone.evaluate(() => { location.hash = '#/people' })
  await phone.locator('.people .row').first().waitFor()
  const someone = await phone.locator('.people .row', { hasText: '<img' }).first().getAttribute('href').then(h => h.split('/').pop())
  const [nobody] = await told(phone, 'contacts', { search: 'nobody' })
  await told(phone, 'log', { entry: { kind: 'promise', contact: nobody.id, due: today(), evidence: 'E1' } })
  const closeSheet = async () => { await phone.keyboard.press('Escape'); await phone.keyboard.press('Escape'); await phone.waitForFunction(() => !document.querySelector('dialog[open]')); await phone.waitForTimeout(60) }
  await phone.emulateMedia({ reducedMotion: 'reduce' }) // nothing on its way
  const themes = ['light', 'dark', 'sun']
  for (const theme of themes) {
    await phone.evaluate(t => { document.documentElement.dataset.theme = t }, theme)
    for (const screen of screens) {
      await open(screen)
      await look(`${screen || 'today'} ${theme}`, { targets: theme === 'light' })
    }
    for (const [screen, name, ...openers] of sheets) {
      await open(screen)
      const there = openers.length > 1 ? openers.pop() : 'dialog[open]'
      for (const opener of openers) if (opener) await (typeof opener === 'string' ? phone.locator(opener).first().click() : opener(phone))
      await phone.locator(there).first().waitFor().catch(e => { throw new Error(`the sheet ${name} on ${screen}: ${e.message}`) })
      await look(`sheet ${name} ${theme}`, { targets: theme === 'light' })
      await closeSheet()
    }
  }
  await phone.evaluate(() => { document.documentElement.dataset.theme = 'light' })
  for (const [width, height] of [[320, 640], [1280, 800]]) {
    await phone.setViewportSize({ width, height })
    for (const screen of screens) { await open(screen); await look(`${screen || 'today'} ${width}x${height}`) }
  }
  await phone.setViewportSize({ width: 390, height: 844 })
  for (const [what, where] of wrong) console.error(`  ${what}\n      on ${where.slice(0, 6).join(', ')}${where.length > 6 ? ` and ${where.length - 6} more` : ''}`)
  const ran = await phone.evaluate(() => ({ hacked: window.hacked, made: document.querySelectorAll('img[src=x], [onerror], [onload]').length }))
  must(ran.hacked === undefined && ran.made === 0, 'names, rules, files and codes are shown, and none of it runs')
  must(wrong.size === 0, `axe, widths and targets: ${looked} looks at ${screens.length} screens and ${sheets.length} sheets, ${wrong.size} things wrong`)

  await open('')
  await phone.locator('.go .button.main').first().waitFor()
  let reached = ''
  for (let i = 0; i < 12 && !/main/.test(reached); i++) {
    await phone.keyboard.press('Tab')
    reached = await phone.evaluate(() => document.activeElement.className)
    const ring = await phone.evaluate(() => { const s = getComputedStyle(document.activeElement); return s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2 })
    must(ring, `the keyboard is seen to be at ${await phone.evaluate(() => (document.activeElement.getAttribute('aria-label') || document.activeElement.textContent).trim().slice(0, 40))}`)
  }
  must(/main/.test(reached), 'the keyboard reaches the first suggestion’s action')

  await open('people')
  await phone.locator('.people .row').first().waitFor()
  await phone.locator('main.screen').evaluate(e => { e.scrollTop = e.scrollHeight })
  const last = () => phone.locator('.people .row strong').allTextContents().then(all => all.sort((a, b) => a.localeCompare(b)).at(-1))
  await phone.waitForFunction(() => { const s = document.querySelector('main.screen').getBoundingClientRect(); return [...document.querySelectorAll('.people .row')].some(r => { const b = r.getBoundingClientRect(); return b.bottom <= s.bottom + 1 && b.bottom > s.bottom - 80 }) }, null)
  must(/^Z/.test(await last()), `the end of ${people} people is there at once: ${await last()}`)
})
