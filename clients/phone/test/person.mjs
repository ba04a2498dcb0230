// What the book has of somebody is corrected on the phone: a name, ways to reach them, what they want, and out of the book and back.
// It fails at the first thing that is not so.
import { at, atDesk, base, click, everywhere, field, join, kill, must, play, profile, safe, serve, shot, soon, three, told } from './lib.mjs'

await play(async () => {
  const { member } = await field()
  const phone = await profile('phone')
  await join(phone, member)
  const row = name => phone.locator('.people .row').getByText(name, { exact: true })
  const find = async name => { await at(phone, 'people'); await phone.locator('input[type=search]').fill(name) }
  const open = async name => { await find(name); await row(name).click(); await phone.locator('.change').waitFor() }
  const closed = () => phone.waitForFunction(() => !document.querySelector('dialog[open]'))
  const change = async () => { await phone.locator('.change').click(); await phone.locator('dialog form.edit').waitFor() }
  const save = async () => { await phone.locator('dialog .button.main').click(); await closed() }

  // Corrected without signal, and only what was changed: what the other device writes meanwhile stays.
  await kill()
  await open('Kofi Annan Boateng')
  await change()
  await everywhere(phone, 'edit')
  const input = label => phone.locator('dialog').getByLabel(label, { exact: true })
  await input('First name, or full name').fill('')
  await phone.locator('dialog').getByRole('button', { name: 'Take +34611000003 off' }).click()
  await phone.locator('dialog .button.main').click()
  await phone.locator('dialog .wrong', { hasText: 'has to stay' }).waitFor()
  await phone.locator('dialog').getByRole('button', { name: 'Keep +34611000003 after all' }).click()
  await input('First name, or full name').fill('Kofi A. Boateng')
  await input('Another number or e-mail').fill('12')
  await phone.locator('dialog .button.main').click()
  await phone.locator('dialog .wrong', { hasText: 'no number' }).waitFor()
  await soon(async () => await input('First name, or full name').inputValue() === 'Kofi A. Boateng', 'what is no number is said beside it, and nothing typed is lost')
  await input('Another number or e-mail').fill('Kofi@Example.com')
  await input('Another tag').fill('choir')
  await phone.locator('dialog').getByRole('radio', { name: 'Customer' }).click()
  await phone.locator('dialog').getByRole('button', { name: 'Take +34611000003 off' }).click()
  await shot(phone, 'edit-typed')
  await save()
  await phone.locator('h1', { hasText: 'Kofi A. Boateng' }).waitFor()
  for (const has of ['kofi@example.com', 'choir', 'Customer']) await phone.locator('main').getByText(has, { exact: true }).first().waitFor()
  must(await phone.getByText('+34611000003').count() === 0, 'a name, an address, a tag and a stage are corrected, and a number is off')
  await shot(phone, 'edit-person')
  atDesk('consent', 'kofi', 'given')
  await serve()
  await safe(phone)
  atDesk('sync')
  await safe(phone)
  const id = await phone.evaluate(() => location.hash.split('/')[2])
  await soon(async () => (await told(phone, 'contact', { id })).consent === 'given', 'what the other device wrote meanwhile is here')
  await soon(async () => { // what is shown follows in a moment
    await change()
    const shown = await phone.locator('dialog').getByRole('radio', { name: 'Yes', exact: true }).getAttribute('aria-checked') === 'true'
    if (!shown) { await phone.keyboard.press('Escape'); await closed() }
    return shown
  }, 'and is shown')
  await save()
  await soon(() => /Kofi A\. Boateng/.test(atDesk('sync') + atDesk('list', 'kofi')), 'and there is what was written here')

  // Who wants no messages is suggested no more.
  const [{ contact, name: first }] = await told(phone, 'top', { list: 'prospects', lang: 'en' })
  const suggested = async () => (await told(phone, 'top', { list: 'prospects', lang: 'en' })).some(s => s.contact === contact)
  await at(phone, `person/${contact}`)
  await change()
  await phone.locator('dialog').getByRole('radio', { name: 'No', exact: true }).click()
  await save()
  await soon(async () => !await suggested(), `${first} wants no messages, and is not suggested`)
  await click(phone, 'Undo')
  await soon(suggested, 'and is again, where that was a slip')

  // Out of the book, and back.
  await open('Kofi A. Boateng')
  await change()
  await click(phone, 'Remove from my book')
  await phone.locator('dialog').getByText('Remove Kofi A. Boateng?').waitFor()
  await shot(phone, 'edit-remove')
  await phone.locator('dialog .danger').click()
  await phone.getByText('is not in your book any more').waitFor()
  await find('Kofi')
  await soon(async () => await phone.locator('.people .row').count() === 0, 'who was removed is in no list')
  await click(phone, 'Undo')
  await row('Kofi A. Boateng').waitFor()
  await safe(phone)
  await soon(() => /Kofi A\. Boateng/.test(atDesk('sync') + atDesk('list', 'kofi')), 'and is back with all that was known')
  await everywhere(phone, 'edit-back')

  // A link to somebody who is not there.
  await phone.goto('about:blank')
  await phone.goto(`${base}/app/#/person/00000000-0000-4000-8000-000000000000`)
  await phone.locator('main', { hasText: 'not in the book any more' }).waitFor()
  must(await phone.locator('dialog[open]').count() === 0, 'of somebody who is not in the book it is said where they would be')
  await phone.locator('.top .round').click()
  await three(phone).first().waitFor()
  must(true, 'and the way back stays in the app')
})
