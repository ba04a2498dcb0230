// Whether everybody can use the screens: every screen of the table and every sheet, in each theme, on a phone and on a desk,
// looked at by axe (WCAG 2.2 AA and its best practice); nothing wider than a narrow phone, no target smaller than a thumb,
// the keyboard's way to the first action. It prints all that is wrong before it fails.
import { readFileSync } from 'node:fs'
import axe from 'axe-core'
import { field, join, must, people, play, profile } from './lib.mjs'

const source = readFileSync(new URL('../web/src/screens/index.ts', import.meta.url), 'utf8')
const table = source.slice(source.indexOf('const screens'))
const screens = [...table.matchAll(/^ {2}'?(\w*)'?: /gm)].map(m => m[1])

/** sheets are what lies over a screen: where, and how it is opened. */
const sheets = [
  ['', 'ask', '.go .square'],
  ['add', 'add', null],
  ['goals', 'goals set', '.card .button.quiet'],
  ['person', 'log', '.acts .button:last-child'],
  ['share', 'hand over', '.piece'],
  ['more', 'leave', '.leave'],
]

await play(async () => {
  must(screens.length > 6 && screens.includes('people'), `the table has ${screens.length} screens: ${screens.map(s => s || 'today').join(', ')}`)
  const { member } = await field()
  const phone = await profile('phone')
  await join(phone, member)
  await phone.evaluate(() => { location.hash = '#/people' })
  await phone.locator('.people .row').first().waitFor()
  const someone = await phone.locator('.people .row').first().evaluate(e => (e.closest('a') ?? e.querySelector('a')).getAttribute('href').split('/').pop())
  const wrong = new Map()
  let looked = 0
  const found = (what, where) => { wrong.set(what, [...(wrong.get(what) ?? []), where]) }

  const look = async (where, { targets = false } = {}) => {
    looked++
    const rules = { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'], resultTypes: ['violations'] }
    await phone.evaluate(`${axe.source}; 0`)
    const { violations } = await phone.evaluate(r => globalThis.axe.run(document, r), rules)
    for (const v of violations) for (const n of v.nodes.slice(0, 3)) found(`${v.id}: ${v.help}: ${n.html.slice(0, 140)}${n.any[0]?.message ? ` (${n.any[0].message.slice(0, 160)})` : ''}`, where)
    const wide = await phone.evaluate(() => document.documentElement.scrollWidth - innerWidth)
    if (wide > 0) found(`${wide} px wider than the screen`, where)
    if (!targets) return
    const small = await phone.evaluate(() => [...document.querySelectorAll('button, a[href], input:not([type=file]):not(.hide), select, summary, textarea, label.button')]
      .filter(e => e.checkVisibility() && !e.closest('.hide') && !(e.tagName === 'A' && e.closest('h2, p')) && !e.closest('label'))
      .map(e => ({ e: e.outerHTML.slice(0, 110), r: e.getBoundingClientRect() })).filter(({ r }) => r.width > 0 && (r.height < 43.5 || r.width < 43.5))
      .map(({ e, r }) => `${Math.round(r.width)}x${Math.round(r.height)} px: ${e}`))
    for (const s of small) found(`a target of ${s}`, where)
  }
  const open = async (screen, id = someone) => {
    await phone.evaluate(h => { location.hash = h }, screen === 'person' ? `#/person/${id}` : `#/${screen}`)
    await phone.waitForTimeout(120) // what comes in has come
  }
  const closeSheet = async () => { await phone.keyboard.press('Escape'); await phone.waitForFunction(() => !document.querySelector('dialog[open]')) }
  await phone.emulateMedia({ reducedMotion: 'reduce' }) // nothing on its way
  const themes = ['light', 'dark', 'sun']
  for (const theme of themes) {
    await phone.evaluate(t => { document.documentElement.dataset.theme = t }, theme)
    for (const screen of screens) {
      await open(screen)
      await look(`${screen || 'today'} ${theme}`, { targets: theme === 'light' })
    }
    for (const [screen, name, opener] of sheets) {
      await open(screen)
      if (opener) await phone.locator(opener).first().click()
      await phone.locator('dialog[open]').waitFor()
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
  await phone.waitForFunction(() => { const s = document.querySelector('main.screen').getBoundingClientRect(); return [...document.querySelectorAll('.people .row')].some(r => { const b = r.getBoundingClientRect(); return b.bottom <= s.bottom + 1 && b.bottom > s.bottom - 80 }) }, null, { timeout: 5000 })
  must(/^Z/.test(await last()), `the end of ${people} people is there at once: ${await last()}`)
})
