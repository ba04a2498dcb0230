// What goes from one person to another, and what a person takes along: a piece shared offline with a link of one's own, cards as QR
// codes drawn and read by a camera, files of the book. It fails at the first thing that is not so.
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import jsQR from 'jsqr'
import { encode } from 'uqr'
import { at, atDesk, base, click, everywhere, field, join, kill, must, play, profile, safe, serve, shot, soon, tmp, told } from './lib.mjs'

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
  await soon(async () => /^1 of 2/.test(await done()), async () => `it counts at once: ${await done()}`)
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
  await soon(async () => /^https:\/\/wa\.me\/\d+\?text=.*%2Fs%2F/.test(await phone.getByText('WhatsApp').getAttribute('href')), 'WhatsApp gets the words and the link')
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
  let picture
  const read = async () => { // it comes in with a movement
    picture = await drawn.screenshot()
    const seen = await pixels(phone, picture)
    return jsQR(Uint8ClampedArray.from(seen.data), seen.width, seen.height)?.data ?? ''
  }
  let card
  await soon(async () => /FN:Maya Ñandú Reyes\r?\n/.test(card = await read()) && card.includes('EMAIL:maya@example.com') && /^BEGIN:VCARD[^]*END:VCARD\s*$/.test(card), 'another reader reads the card off the screen')

  // A card that a camera sees.
  const film = movie('BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Kamala Fotheringay\r\nTEL;TYPE=CELL:+34699000111\r\nEMAIL:kamala@example.com\r\nORG:Sol y Luna\r\nEND:VCARD\r\n', path.join(tmp, 'card.y4m'))
  const second = await profile('second', undefined, ...film)
  await second.context().grantPermissions(['camera', 'clipboard-read', 'clipboard-write'], { origin: base })
  await join(second, member)
  await second.evaluate(() => navigator.serviceWorker.ready)
  await second.locator('.nav .add').click()
  await everywhere(second, 'add')
  await second.getByRole('link', { name: 'Read a card' }).click()
  await second.locator('dialog').getByText('+34699000111').waitFor()
  await everywhere(second, 'card-read')
  await soon(async () => await second.locator('dialog h2').textContent() === 'Kamala Fotheringay', 'the camera read a card, and shows it first')
  must(/0 contacts|nobody|no contact|^\s*$/i.test(atDesk('list', 'kamala')), 'nothing was saved by itself')
  await second.keyboard.press('Escape')
  await second.locator('.lens').waitFor()
  await shot(second, 'card-lens')
  await second.locator('dialog').getByText('Add to my book').click() // it is still in sight
  await second.locator('.head h1').getByText('Kamala Fotheringay').waitFor()
  await at(second, 'card/read')
  await second.locator('dialog').getByText('Kamala Fotheringay is in your book already').waitFor()
  must(true, 'a card of somebody who is known is told')
  await everywhere(second, 'card-known')
  await second.keyboard.press('Escape')

  // A picture of a code, and codes that are no cards: shown, never opened.
  const still = await profile('still', { width: 1280, height: 800 })
  await join(still, member)
  await at(still, 'card/read')
  await still.getByText(/no camera|not allowed/).waitFor()
  await shot(still, 'desk-card-none')
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
    await shot(still, `desk-card-${says.slice(0, 8).replace(/\W/g, '')}`)
    await still.keyboard.press('Escape')
  }
  for (const where of ['share', 'card', 'data', 'more', 'import', '']) { await at(still, where); await shot(still, `desk-${where || 'today'}`) }

  // Files to take along.
  await at(still, 'data')
  for (const [label, want] of [['People as cards', 'FN:Kamala Fotheringay'], ['People as a table', 'Kamala Fotheringay'], ['What happened', ',share,'], ['Everything JSON', '"people":[']]) {
    const [file] = await Promise.all([still.waitForEvent('download'), still.getByRole('button', { name: label }).click()])
    must(readFileSync(await file.path(), 'utf8').includes(want), `${label}: ${file.suggestedFilename()}`)
  }
  await still.getByRole('button', { name: 'Next steps' }).click()
  await still.locator('.toast').getByText('No step has a date yet').waitFor()
  atDesk('snooze', 'kofi', '9')
  atDesk('sync')
  const [kofi] = await told(still, 'contacts', { search: 'kofi' })
  await soon(async () => !!(await told(still, 'contact', { id: kofi.id })).snooze, 'a pause comes from the other device')
  const [ics] = await Promise.all([still.waitForEvent('download'), still.getByRole('button', { name: 'Next steps' }).click()])
  must(/BEGIN:VEVENT[^]*Kofi[^]*END:VEVENT/.test(readFileSync(await ics.path(), 'utf8')), 'a pause that ends is in the calendar')

  // The same in Spanish.
  await at(phone, 'more')
  await click(phone, 'Español')
  await phone.getByText('Zona horaria').waitFor()
  await phone.reload()
  await phone.getByText('Zona horaria').waitFor()
  must(true, 'a language that was chosen is spoken after the next start too')
  for (const where of ['share', 'card', 'data', 'again', 'more']) {
    await at(phone, where)
    await phone.waitForFunction(() => /Compartir|Tarjetas|Mis datos|Entrar|Más/.test(document.querySelector('h1')?.textContent ?? ''))
    await shot(phone, `es-${where}`)
  }
  await at(phone, 'share')
  await phone.locator('.piece strong').getByText('Qué lleva y por qué').click()
  await phone.locator('.link').getByText('/s/').waitFor()
  await soon(async () => /Nuestro producto/.test(await phone.locator('dialog textarea').inputValue()), 'a piece goes out in the language of the member')
  await shot(phone, 'es-share-sheet')
})
