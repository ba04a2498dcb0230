// Files that somebody holds when the app starts, as a worker that ends does for a moment: the app waits for them, and whatever
// happens nothing of them is lost. A page of the same site holds one here by a stream.
import { base, field, join, kill, must, play, profile, safe, serve, shot, three } from './lib.mjs'

/** hold takes a file of the data's, and returns how many there are; letGo gives it back. */
const hold = page => page.evaluate(async () => {
  const all = []
  const walk = async dir => { for await (const h of dir.values()) h.kind === 'file' ? all.push(h) : await walk(h) }
  for await (const [name, h] of (await navigator.storage.getDirectory()).entries()) if (h.kind === 'directory' && /trio/.test(name)) await walk(h)
  const large = (await Promise.all(all.map(async h => [h, (await h.getFile()).size]))).sort((a, b) => a[1] - b[1])
  let s
  for (let i = 0; !s; i++) { // the smallest, once the worker of the page that was closed has let it go
    try { s = await large[0][0].createWritable({ keepExistingData: true }) } catch (e) { if (i > 1000) throw e; await new Promise(done => setTimeout(done, 50)) }
  }
  globalThis.letGo = () => s.abort()
  return all.length
})
const letGo = page => page.evaluate(() => globalThis.letGo())

await play(async () => {
  const { member } = await field()
  const phone = await profile('phone')
  await join(phone, member)
  const other = await phone.context().newPage()
  await other.goto(`${base}/healthz`) // of the same site, and none of the app's
  await kill()
  await phone.context().setOffline(true)
  await phone.evaluate(() => { location.hash = '#/add' })
  await phone.locator('dialog input').first().fill('Olga Onlyhere')
  await phone.locator('dialog .button.main').click()
  await phone.locator('.glyph.waits').waitFor()
  const there = async page => {
    await page.evaluate(() => { location.hash = '#/people' })
    await page.locator('input[type=search]').fill('olga')
    await page.getByText('Olga Onlyhere').first().waitFor()
  }
  await phone.close()
  const files = await hold(other)
  must(files >= 2, `a page holds one of ${files} files`)
  const second = await phone.context().newPage()
  const letting = other.evaluate(() => new Promise(done => setTimeout(done, 1200)).then(globalThis.letGo))
  await second.goto(`${base}/app/`)
  await letting
  await three(second).first().waitFor()
  await there(second)
  must(true, 'an app that starts while a file is held waits for it')
  await second.close()

  await hold(other)
  const third = await phone.context().newPage()
  await third.goto(`${base}/app/`)
  await third.locator('[role=alert], dialog h2').first().waitFor()
  must(true, `held for long, it is said: ${(await third.locator('[role=alert] h1, dialog h2').first().textContent()).trim()}`)
  await shot(third, 'held')
  await third.close()
  await letGo(other)
  const fourth = await phone.context().newPage()
  await fourth.goto(`${base}/app/`)
  await three(fourth).first().waitFor()
  await there(fourth)
  must(true, 'and who was only on this phone is there afterwards')
  await serve()
  await fourth.context().setOffline(false)
  await safe(fourth)
})
