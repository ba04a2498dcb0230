// What the page shows before the core is there: the three as it left them, and what is tapped on them waits for the core.
import { base, field, join, must, play, profile, safe, shot, three } from './lib.mjs'

/** late has the worker hear of nothing until the test says awake, as a slow phone's. */
function late() {
  const awake = new Promise(done => { globalThis.awake = done })
  globalThis.Worker = class extends Worker {
    postMessage(...args) { void awake.then(() => super.postMessage(...args)) }
  }
}
/** tomorrow is when a page believes to be opened. */
function tomorrow() {
  const now = Date.now() + 86_400_000
  globalThis.Date = class extends Date { constructor(...args) { super(...(args.length ? args : [now])) } static now() { return now } }
}

await play(async () => {
  const { member } = await field()
  const page = await profile('phone')
  await join(page, member)
  const before = await three(page).allTextContents()

  const second = await page.context().newPage()
  await page.close()
  await second.addInitScript(late)
  await second.goto(`${base}/app/`)
  const again = second.locator('.three[data-kept] > li')
  await again.first().waitFor()
  must(JSON.stringify(await again.allTextContents()) === JSON.stringify(before), 'before the core is there: the same three, as they were left')
  must(await second.locator('.glyph[data-sync=level]').count() === 0, 'that all is safe is not said before it is known')
  await second.getByText('as you left it').waitFor()
  await second.waitForFunction(() => getComputedStyle(document.querySelector('.date .kept')).opacity === '1') // where a start takes longer
  must(await second.locator('.three[data-kept]').count() > 0, 'and that they are so is said')
  await shot(second, 'today-kept')
  const first = await second.locator('.pick h2').textContent()
  await second.locator('.go .square').click()
  await second.locator('dialog .answers .button', { hasText: 'Not ready' }).click()
  must(await again.count() === 3, 'what is tapped waits for the core')
  await second.evaluate(() => globalThis.awake())
  const said = await second.locator('.toast').textContent()
  await second.waitForFunction(was => document.querySelector('.three:not([data-kept])') && document.querySelector('.pick h2')?.textContent !== was, first)
  must(true, `done by the core: ${said}`)
  await safe(second)

  const third = await second.context().newPage()
  await third.addInitScript(tomorrow)
  await third.addInitScript(late)
  await third.goto(`${base}/app/`)
  await third.locator('.nav').waitFor()
  await third.waitForTimeout(500)
  must(await third.locator('.three').count() === 0, 'on another day nothing of yesterday is shown')

  const other = await profile('other')
  await other.addInitScript(k => localStorage.setItem('kept', k), await second.evaluate(() => localStorage.getItem('kept')))
  await other.goto(`${base}/app/`)
  await other.locator('input.code').waitFor()
  await other.waitForFunction(() => localStorage.getItem('kept') === null)
  must(await other.locator('.three').count() === 0, 'what is kept of somebody who is not here is thrown away')

  // A system without a language: its browser names one that no calendar knows.
  const plain = await profile('plain')
  const wrong = []
  plain.on('pageerror', e => wrong.push(String(e)))
  await plain.addInitScript(() => { Object.defineProperty(navigator, 'languages', { get: () => ['en-US@posix', 'en-GB'] }) })
  await join(plain, member)
  await plain.locator('.date', { hasText: /\d/ }).waitFor()
  must(wrong.length === 0, `where a language is named in a way that is none, the next one is taken${wrong.map(w => `: ${w}`)}`)
})
