// Many tabs and many phones: three tabs of which the leader closes, a call that is under way meanwhile and is no second write;
// storage that the browser clears and the server gives back; two phones of a member apart that come to the same three.
import { added, atDesk, base, field, join, kill, must, play, profile, safe, serve, soon, three, timed } from './lib.mjs'

await play(async () => {
  const { member } = await field()
  const first = await profile('phone')
  await join(first, member)
  const context = first.context()
  const tabs = [first]
  for (let i = 0; i < 2; i++) {
    const tab = await context.newPage()
    await tab.goto(`${base}/app/`)
    await three(tab).first().waitFor()
    tabs.push(tab)
  }
  const names = page => three(page).allTextContents()
  await soon(async () => JSON.stringify(await names(tabs[1])) === JSON.stringify(await names(tabs[2])), 'three tabs show the same three')

  // The leader closes under a second tab that is writing.
  await tabs[1].evaluate(() => { location.hash = '#/add' })
  await tabs[1].locator('dialog input').first().fill('Wanda Waiting')
  await Promise.all([tabs[0].close(), tabs[1].locator('dialog .button.main').click()])
  await timed('the leading tab closed under a write, kept', async () => {
    await added(tabs[1])
    await tabs[1].evaluate(() => { location.hash = '#/people' })
    await tabs[1].locator('input[type=search]').fill('wanda')
    await tabs[1].getByText('Wanda Waiting').first().waitFor()
  })
  await tabs[2].evaluate(() => { location.hash = '#/people' })
  await tabs[2].locator('input[type=search]').fill('wanda')
  await tabs[2].getByText('Wanda Waiting').first().waitFor()
  await soon(async () => await tabs[2].getByText('Wanda Waiting').count() === 1, 'who was written while the leader closed is there once')
  await safe(tabs[2])
  await tabs[1].close()

  // The browser clears what the site keeps, as it may when space is short.
  const page = tabs[2]
  await page.goto('about:blank')
  const cdp = await context.newCDPSession(page)
  await cdp.send('Storage.clearDataForOrigin', { origin: base, storageTypes: 'all' })
  await page.goto(`${base}/app/`)
  await page.locator('input.code').waitFor()
  must(true, 'a phone whose storage was cleared asks for a code again')
  await timed('joined again to all of the book', () => join(page, member))
  await page.evaluate(() => { location.hash = '#/people' })
  await page.locator('input[type=search]').fill('wanda')
  await page.getByText('Wanda Waiting').first().waitFor()
  must(true, 'the server gave back what the browser had cleared')
  await page.evaluate(() => { location.hash = '#/' })

  // Two phones of one member, without signal, act apart.
  const second = await profile('second')
  await join(second, member)
  await kill()
  for (const p of [page, second]) await p.context().setOffline(true)
  const add = async (p, name) => {
    await p.evaluate(() => { location.hash = '#/add' })
    await p.locator('dialog input').first().fill(name)
    await p.locator('dialog .button.main').click()
    await p.locator('.glyph.waits').waitFor()
    await added(p)
  }
  await add(page, 'Fay First')
  await add(second, 'Sam Second')
  for (const p of [page, second]) {
    await p.evaluate(() => { location.hash = '#/' })
    await three(p).first().waitFor()
    await p.locator('.go .square').click()
    await p.locator('dialog .answers .button', { hasText: 'Not ready' }).click()
    await p.locator('.toast').waitFor()
  }
  await serve()
  for (const p of [page, second]) await p.context().setOffline(false)
  await timed('both phones level again', async () => { await safe(page); await safe(second); await page.waitForTimeout(300); await safe(page) })
  for (const p of [page, second]) {
    await p.evaluate(() => { location.hash = '#/people' })
    for (const name of ['Fay First', 'Sam Second']) {
      await p.locator('input[type=search]').fill(name.split(' ')[0].toLowerCase())
      await p.getByText(name).first().waitFor()
    }
    await p.evaluate(() => { location.hash = '#/' })
    await three(p).first().waitFor()
  }
  await page.waitForTimeout(500)
  await soon(async () => JSON.stringify(await names(page)) === JSON.stringify(await names(second)), 'both phones show the same three after the merge')
  atDesk('sync')
  const told = atDesk('top')
  for (const name of await page.locator('.pick h2').allTextContents()) must(told.includes(name), `the desk has ${name} on top as well`)
})
