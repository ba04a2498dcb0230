// A phone whose storage is full: it is said as that, and not as damage; what was said to be kept is there, what was typed when
// there was no room stays in its sheet; an invitation is not used up by a phone that has no room; with room all goes on.
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { atDesk, base, code, field, join, kill, must, play, profile, safe, serve, shot, three, tmp, told } from './lib.mjs'

/** room lets a page's site have so many bytes more than it has, or as many as the browser gives. The bound holds while its session does. */
async function room(page, more) {
  const c = page.bound ??= await page.context().newCDPSession(page)
  await c.send('Storage.overrideQuotaForOrigin', { origin: base })
  if (more === undefined) return
  const { usage } = await c.send('Storage.getUsageAndQuota', { origin: base })
  await c.send('Storage.overrideQuotaForOrigin', { origin: base, quotaSize: usage + more })
}
const full = page => page.locator('dialog h2', { hasText: 'This phone has no room left' })
async function understood(page) {
  await page.getByText('Understood', { exact: true }).click()
  await full(page).waitFor({ state: 'detached' })
}
const noise = n => Array.from({ length: n }, () => Math.random().toString(36).slice(2, 10)).join(' ')

await play(async () => {
  const { member } = await field()
  const phone = await profile('phone')
  await join(phone, member)
  await phone.evaluate(() => navigator.serviceWorker.ready)
  await phone.waitForFunction(async () => (await Promise.all((await caches.keys()).map(async n => (await (await caches.open(n)).keys()).length))).some(n => n > 5))
  await kill()
  await phone.context().setOffline(true)

  await room(phone, 2_500_000) // files grow by a million and more at a time
  const kept = []
  let why = ''
  for (const words of [400, 0]) { // what is large, and then what is small, until nothing fits
    for (why = ''; !why && kept.length < 2000; ) {
      const note = noise(words)
      const { id, error = '' } = await told(phone, 'capture', { fields: { name: `Room ${kept.length}`, note } })
      if (!error) kept.push({ id, note })
      why = error
    }
  }
  must(kept.length > 0 && /storage is full/.test(why), `after ${kept.length} people there is no room: ${why}`)
  await phone.evaluate(() => { location.hash = '#/add' })
  const name = phone.locator('dialog input').first()
  let typed = ''
  for (let i = 0; await full(phone).count() === 0; i++) { // the last pages may be enough for a few words
    typed = `Olga Onlytyped ${i}`
    await name.fill(typed)
    await phone.waitForTimeout(100) // what is said of the words before is gone
    await phone.waitForFunction(() => document.querySelectorAll('dialog').length > 1 || document.querySelector('dialog').innerText.includes('Kept'))
  }
  await shot(phone, 'full')
  await understood(phone)
  await phone.locator('dialog .button.main').click()
  await full(phone).waitFor()
  await understood(phone)
  must(await name.inputValue() === typed && !(await phone.locator('dialog').innerText()).includes('Kept'), 'what was typed without room stays, and nothing says that it is kept')
  await room(phone)
  await phone.locator('dialog .button.main').click()
  await phone.locator('dialog').waitFor({ state: 'detached' })
  must((await told(phone, 'contacts', { search: 'onlytyped' })).map(c => c.name).join() === typed, 'and is kept by the same tap once there is room')

  await room(phone, 0)
  await phone.reload()
  await three(phone).first().waitFor()
  for (const { id, note } of kept) {
    const c = await told(phone, 'contact', { id })
    if ((c.note ?? '') !== note) throw new Error(`lost: the note of ${id}, ${JSON.stringify(c).slice(0, 200)}`)
  }
  must(true, `opened again without room all ${kept.length} are as they were`)
  await room(phone)
  await serve()
  await phone.context().setOffline(false)
  await safe(phone)
  atDesk('sync')
  const there = atDesk('list', 'room')
  must(kept.every((_, i) => there.includes(`Room ${i}`)) && atDesk('list', 'onlytyped').includes('Olga'), 'all of it reaches the other device')
  await phone.context().close()

  writeFileSync(path.join(tmp, 'many.vcf'), Array.from({ length: 1500 }, (_, i) => `BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Many ${i}\r\nNOTE:${noise(150)}\r\nEND:VCARD\r\n`).join(''))
  atDesk('import', path.join(tmp, 'many.vcf'))
  atDesk('sync')
  const second = await profile('second')
  await second.goto(`${base}/app/`)
  await second.evaluate(() => navigator.serviceWorker.ready)
  await second.locator('input.code').fill(code(member))
  await room(second, 0)
  await second.locator('.button.main').click()
  await full(second).waitFor()
  await understood(second)
  await room(second, 1_100_000) // enough for the access alone, as files grow by a million at a time
  await second.locator('.button.main').click()
  await full(second).waitFor()
  must(true, 'the invitation is not used up without room, and a book that does not fit is not shown as an empty one without a word')
  await shot(second, 'full-first')
  await understood(second)
  await room(second)
  await second.reload()
  await safe(second)
  must((await told(second, 'contacts', { search: 'many 1499' })).length === 1, 'with room it comes')
})
