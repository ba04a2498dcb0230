// What goes from one person to another, and what a person takes along: a piece shared offline with a link of one's own, cards as QR
// codes drawn and read by a camera, signing out with a file of what was not sent, access that was taken back, access that the server
// has forgotten. It fails at the first thing that is not so.
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import jsQR from 'jsqr'
import { encode } from 'uqr'
import { admin, atDesk, base, code, data, field, join, kill, must, play, profile, safe, serve, shot, three, tmp, unsent } from './lib.mjs'

const at = async (page, where) => { await page.evaluate(w => { location.hash = `#/${w}` }, where) }
const click = (page, text) => page.getByText(text, { exact: true }).first().click()
const SHOTS = process.env.SHOTS

/** everywhere keeps pictures of a screen in all themes and both languages. */
async function everywhere(page, name) {
  if (!SHOTS) return
  for (const theme of ['light', 'dark', 'sun']) {
    await page.evaluate(v => { document.documentElement.dataset.theme = v }, theme)
    await shot(page, `${name}-${theme}`)
  }
  await page.evaluate(() => { document.documentElement.dataset.theme = 'light' })
}

/** movie is a film of a code, as a camera sees it: for Chromium's device that plays a file. */
function movie(text, file) {
  const { data: rows, size } = encode(text, { ecc: 'M', border: 4 })
  const side = 640
  const scale = Math.floor(560 / size)
  const from = Math.floor((side - scale * size) / 2)
  const y = Buffer.alloc(side * side, 200)
  for (let i = 0; i < size * scale; i++) for (let j = 0; j < size * scale; j++) y[(from + i) * side + from + j] = rows[Math.floor(i / scale)][Math.floor(j / scale)] ? 30 : 225
  const frame = Buffer.concat([Buffer.from('FRAME\n'), y, Buffer.alloc(side * side / 2, 128)])
  writeFileSync(file, Buffer.concat([Buffer.from(`YUV4MPEG2 W${side} H${side} F10:1 Ip A1:1 C420jpeg\n`), frame, frame]))
  return [`--use-fake-device-for-media-stream`, `--use-fake-ui-for-media-stream`, `--use-file-for-fake-video-capture=${file}`]
}

/** pixels are those of a picture, decoded by the browser. */
const pixels = (page, png) => page.evaluate(async base64 => {
  const bytes = Uint8Array.from(atob(base64), c => c.charCodeAt(0))
  const bitmap = await createImageBitmap(new Blob([bytes], { type: 'image/png' }))
  const c = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d')
  c.drawImage(bitmap, 0, 0)
  const image = c.getImageData(0, 0, bitmap.width, bitmap.height)
  return { width: image.width, height: image.height, data: [...image.data] }
}, png.toString('base64'))

await play(async () => {
  const { member } = await field()
  atDesk('goal', 'share', '2')
  atDesk('sync')
  const phone = await profile('phone')
  await phone.context().grantPermissions(['clipboard-read', 'clipboard-write'], { origin: base })
  await join(phone, member)
  await phone.evaluate(() => navigator.serviceWorker.ready)

  // A share without the server: the link is minted here, and counts at once.
  await kill()
  await phone.context().setOffline(true)
  await at(phone, 'goals')
  await phone.getByRole('link', { name: 'shares' }).click()
  await phone.locator('.piece').first().waitFor()
  await everywhere(phone, 'share')
  await phone.locator('.piece').first().click()
  await phone.locator('.link').getByText('/s/').waitFor()
  await everywhere(phone, 'share-sheet')
  await click(phone, 'Copy')
  await phone.locator('.toast').waitFor()
  const words = await phone.evaluate(() => navigator.clipboard.readText())
  const link = /http\S+\/s\/[\w-]{40}$/.exec(words)?.[0]
  must(link?.startsWith(base), `a link was made offline: ${link}`)
  await phone.getByText('shared once').waitFor()
  await at(phone, 'goals')
  const done = () => phone.locator('.goal', { hasText: 'shares' }).locator('.num').textContent()
  must(/^1 of 2/.test(await done()), `it counts at once: ${await done()}`)
  await at(phone, 'share')
  await phone.locator('.piece').nth(2).click()
  await phone.locator('.link').getByText('/s/').waitFor()
  await click(phone, 'Copy')
  await phone.locator('.toast button').click()
  await at(phone, 'goals')
  await phone.waitForFunction(() => [...document.querySelectorAll('.goal')].some(g => /shares1 of 2/.test(g.textContent)))
  must(true, 'a share that was taken back does not count')

  // To one person, whose page has it.
  await at(phone, 'people')
  await phone.locator('.people .row').nth(1).click()
  await phone.locator('.pass').click()
  await phone.getByText(/^For .*with your own link/).waitFor()
  await phone.locator('.piece').nth(1).click()
  await phone.locator('.link').getByText('/s/').waitFor()
  await everywhere(phone, 'share-person')
  must(/^https:\/\/wa\.me\/\d+\?text=.*%2Fs%2F/.test(await phone.getByText('WhatsApp').getAttribute('href')), 'WhatsApp gets the words and the link')
  await click(phone, 'Copy')
  await phone.locator('.toast').waitFor()
  await phone.goBack()
  await phone.locator('.time li').getByText('Shared').waitFor()
  must(true, 'what was shared with a person is on their page')

  await serve()
  await phone.context().setOffline(false)
  await safe(phone)
  const led = await fetch(link, { redirect: 'manual' })
  must(led.status === 302 && led.headers.get('location').startsWith('https://www.example.com/') && led.headers.get('location').includes(`ref=${member}`), `the link leads on: ${led.headers.get('location')}`)
  must((await fetch(`${base}/s/${'x'.repeat(40)}`)).status === 404, 'a code that is none gets a page')
  atDesk('sync')
  must(/shar/i.test(atDesk('goals')), 'the shares are on the other device')

  // One's own card, drawn here and read by another reader.
  await at(phone, 'card')
  await phone.locator('input[autocomplete=name]').waitFor()
  await phone.locator('input[autocomplete=name]').fill('Maya Ñandú Reyes')
  await phone.locator('input[autocomplete=tel]').fill('+34 600 123 456')
  await phone.locator('input[autocomplete=email]').fill('maya@example.com')
  await click(phone, 'Save')
  const drawn = phone.locator('.qr svg[role=img]')
  await drawn.waitFor()
  await everywhere(phone, 'card')
  const picture = await drawn.screenshot()
  const seen = await pixels(phone, picture)
  const card = jsQR(Uint8ClampedArray.from(seen.data), seen.width, seen.height)?.data ?? ''
  must(/FN:Maya Ñandú Reyes\r?\n/.test(card) && card.includes('EMAIL:maya@example.com') && /^BEGIN:VCARD[^]*END:VCARD\s*$/.test(card), 'another reader reads the card off the screen')

  // A card that a camera sees.
  const film = movie('BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Kamala Fotheringay\r\nTEL;TYPE=CELL:+34699000111\r\nEMAIL:kamala@example.com\r\nORG:Sol y Luna\r\nEND:VCARD\r\n', path.join(tmp, 'card.y4m'))
  const second = await profile('second', undefined, ...film)
  await second.context().grantPermissions(['camera', 'clipboard-read', 'clipboard-write'], { origin: base })
  await join(second, member)
  await second.evaluate(() => navigator.serviceWorker.ready)
  await second.locator('.nav .add').click()
  await everywhere(second, 'add')
  await second.getByRole('link', { name: 'Read a card' }).click()
  await second.locator('dialog').getByText('+34699000111').waitFor({ timeout: 20_000 })
  await everywhere(second, 'card-read')
  must(await second.locator('dialog h2').textContent() === 'Kamala Fotheringay', 'the camera read a card, and shows it first')
  must(/0 contacts|nobody|no contact|^\s*$/i.test(atDesk('list', 'kamala')), 'nothing was saved by itself')
  await second.keyboard.press('Escape')
  await second.locator('.lens').waitFor()
  if (SHOTS) await shot(second, 'card-lens')
  await second.locator('dialog').getByText('Add to my book').click() // it is still in sight
  await second.locator('.head h1').getByText('Kamala Fotheringay').waitFor()
  await at(second, 'card/read')
  await second.locator('dialog').getByText('Kamala Fotheringay is in your book already').waitFor({ timeout: 20_000 })
  must(true, 'a card of somebody who is known is told')
  await everywhere(second, 'card-known')
  await second.keyboard.press('Escape')

  // A picture of a code, and codes that are no cards: shown, never opened.
  const still = await profile('still', { width: 1280, height: 800 })
  await join(still, member)
  await at(still, 'card/read')
  await still.getByText(/no camera|not allowed/).waitFor()
  if (SHOTS) await shot(still, 'desk-card-none')
  await still.locator('.lens ~ label input[type=file]').setInputFiles({ name: 'card.png', mimeType: 'image/png', buffer: picture })
  await still.locator('dialog').getByText('maya@example.com').waitFor()
  must(true, 'a picture of a card is read')
  await still.keyboard.press('Escape')
  const asPicture = async text => {
    const { data: rows, size } = encode(text, { ecc: 'M', border: 4 })
    return Buffer.from(await still.evaluate(async ([rows, size]) => {
      const canvas = new OffscreenCanvas(size * 6, size * 6)
      const c = canvas.getContext('2d')
      c.fillStyle = '#fff'; c.fillRect(0, 0, size * 6, size * 6); c.fillStyle = '#000'
      rows.forEach((row, y) => row.forEach((on, x) => { if (on) c.fillRect(x * 6, y * 6, 6, 6) }))
      return [...new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer())]
    }, [rows, size]))
  }
  for (const [text, says] of [['https://evil.example/steal', 'https://evil.example/steal'], [link, 'This is a link of your own.'], [`${base}/join#ABCD-EFGH-JKLM`, 'This is an invitation to a book'], ['MECARD:N:Owen,Sean;TEL:+34699000222;;', '+34699000222']]) {
    await still.locator('.lens ~ label input[type=file]').setInputFiles({ name: 'code.png', mimeType: 'image/png', buffer: await asPicture(text) })
    await still.locator('dialog').getByText(says).first().waitFor()
    must(still.url().startsWith(base), `read and not opened: ${text}`)
    if (SHOTS) await shot(still, `desk-card-${says.slice(0, 8).replace(/\W/g, '')}`)
    await still.keyboard.press('Escape')
  }
  for (const where of ['share', 'card', 'data', 'more', 'import', '']) { await at(still, where); if (SHOTS) await shot(still, `desk-${where || 'today'}`) }

  // Files to take along.
  await at(still, 'data')
  for (const [label, want] of [['People as cards', 'FN:Kamala Fotheringay'], ['People as a table', 'Kamala Fotheringay'], ['What happened', ',share,'], ['Everything', '"people":[']]) {
    const [file] = await Promise.all([still.waitForEvent('download'), still.getByRole('button', { name: label }).click()])
    must(readFileSync(await file.path(), 'utf8').includes(want), `${label}: ${file.suggestedFilename()}`)
  }
  await still.getByRole('button', { name: 'Next steps' }).click()
  await still.locator('.toast').getByText('No step has a date yet').waitFor()
  atDesk('snooze', 'kofi', '9')
  atDesk('sync')
  await safe(still)
  const [ics] = await Promise.all([still.waitForEvent('download'), still.getByRole('button', { name: 'Next steps' }).click()])
  must(/BEGIN:VEVENT[^]*Kofi[^]*END:VEVENT/.test(readFileSync(await ics.path(), 'utf8')), 'a pause that ends is in the calendar')

  // Signing out with something that nobody else has: a file first, which another device brings in.
  await everywhere(phone, 'card-own')
  await at(phone, 'data')
  await everywhere(phone, 'data')
  const tab = await phone.context().newPage()
  await tab.goto(`${base}/app/`)
  await three(tab).first().waitFor()
  await kill()
  await phone.context().setOffline(true)
  await at(phone, 'add')
  await phone.locator('dialog label input').first().fill('Olga Onlyhere')
  await phone.getByText('Kept as you type').waitFor()
  await phone.locator('dialog .button.main').click()
  await phone.locator('.glyph.waits').waitFor()
  await at(phone, 'data')
  await everywhere(phone, 'data-only')
  await at(phone, 'more')
  await everywhere(phone, 'more')
  await click(phone, 'Sign out of this phone')
  await phone.locator('dialog').getByText('1 change is only on this phone').waitFor()
  await everywhere(phone, 'leave')
  const [file] = await Promise.all([phone.waitForEvent('download'), click(phone, 'Save them as a file first')])
  const saved = path.join(tmp, file.suggestedFilename())
  await file.saveAs(saved)
  must(/^trio-.*\.trio$/.test(file.suggestedFilename()), `what is only here was saved: ${file.suggestedFilename()}`)
  await phone.locator('dialog').getByText('Saved as a file').waitFor()
  if (SHOTS) await shot(phone, 'leave-saved')
  await phone.locator('dialog .danger').click()
  await phone.locator('input.code').waitFor()
  await tab.locator('input.code').waitFor()
  must(true, 'signed out in all tabs')
  if (SHOTS) await shot(phone, 'left')
  const left = await phone.evaluate(async () => {
    const dir = await navigator.storage.getDirectory()
    let size = 0
    const names = []
    const walk = async d => { for await (const h of d.values()) { if (h.kind === 'directory') await walk(h); else { names.push(h.name); try { size += (await h.getFile()).size } catch { /* held by the pool */ } } } }
    await walk(dir)
    return { size, names, local: Object.keys(localStorage) }
  })
  must(!left.names.includes('trio-access.json') && left.size < 100_000 && !left.local.includes('safe'), `nothing of the book is on the phone: ${JSON.stringify(left)}`)
  await phone.reload()
  await phone.locator('input.code').waitFor()
  await tab.close()
  must(/^1 changes came in/.test(atDesk('bring', saved)) && /Olga Onlyhere/.test(atDesk('list', 'olga')), 'the file, brought in on another device, has the change')
  await serve()
  atDesk('sync')
  await phone.context().setOffline(false)
  await join(phone, member)
  await at(phone, 'people')
  await phone.locator('input[type=search]').fill('olga')
  await phone.getByText('Olga Onlyhere').waitFor()
  must(true, 'and a phone that joins anew has it from the server')
  await at(still, 'import')
  await still.locator('input[type=file]').setInputFiles(saved)
  await still.getByText('Nothing new, 1 here already').waitFor()
  must(true, 'brought where it is already, it is nothing new')

  // Signing out online: the server hears of it.
  await at(phone, 'more')
  await click(phone, 'Sign out of this phone')
  await phone.locator('dialog').getByText('Everything is safe').waitFor()
  await phone.locator('dialog .danger').click()
  await phone.getByText('You are signed out. Nothing').waitFor()
  await phone.locator('input.code').waitFor()
  must(/left/.test(atDesk('devices')), 'the server knows that the phone is empty')

  // Access that the company took back: the phone is empty, says so, and begins anew with a code.
  await join(phone, member)
  const device = await phone.evaluate(async () => JSON.parse(await (await (await (await navigator.storage.getDirectory()).getFileHandle('trio-access.json')).getFile()).text()).device)
  await at(phone, 'people')
  admin('revoke', device)
  await phone.getByText('Your access ended').waitFor({ timeout: 90_000 })
  await everywhere(phone, 'emptied')
  must(await phone.locator('dialog[open]').count() === 0, 'a phone that was emptied says what to do, and no errors')
  await phone.locator('input.code').fill(code(member))
  await phone.locator('.button.main').click()
  await safe(phone)
  await three(phone).first().waitFor()
  must(true, 'with a new code the book is back')

  // Access that the server does not know any more, put back from an older backup: the book stays and goes on with a code.
  await kill()
  const backup = path.join(tmp, 'backup')
  cpSync(data, backup, { recursive: true })
  await serve()
  const last = await profile('last')
  await join(last, member)
  await last.evaluate(() => navigator.serviceWorker.ready)
  await kill()
  await at(last, 'add')
  await last.locator('dialog label input').first().fill('Petra Persists')
  await last.getByText('Kept as you type').waitFor()
  await last.locator('dialog .button.main').click()
  await last.locator('.glyph.waits').waitFor()
  rmSync(data, { recursive: true })
  cpSync(backup, data, { recursive: true })
  await serve()
  await at(last, 'sync')
  await last.getByText('Your book stays readable here').waitFor({ timeout: 90_000 })
  await everywhere(last, 'ended')
  await at(last, 'people')
  await last.locator('input[type=search]').fill('petra')
  await last.getByText('Petra Persists').waitFor()
  must(true, 'the book stays readable')
  const other = /[0-9a-f]{8}-[0-9a-f-]{27}/.exec(admin('member', /\d+/.exec(admin('company', 'Elsewhere'))[0], 'Ben'))[0]
  await at(last, 'again')
  await last.locator('input.code').fill(code(other))
  await everywhere(last, 'again')
  await last.locator('.card .button.main').click()
  await last.getByText('This invitation is for another member').waitFor()
  await last.locator('dialog .button.main').click()
  must(/waits|late/.test(await unsent(last)), 'a code of another member changes nothing')
  await last.locator('input.code').fill(code(member))
  await last.locator('.card .button.main').click()
  await safe(last)
  atDesk('sync')
  must(/Petra Persists/.test(atDesk('list', 'petra')), 'the same book goes on, and what was only here is on the server')
})
