// Boards on a phone: brought by the server, shown as last known when it is gone, one's own place in sight, somebody recognised to be
// cheered, a team for who sponsors one, and a member who wants to be seen by nobody.
import path from 'node:path'
import axe from 'axe-core'
import { admin, atDesk, base, code, field, home, join, kill, must, play, profile, run, safe, serve, shot, soon, tmp } from './lib.mjs'

await play(async () => {
  const { company, member } = await field()
  const member2 = name => /[0-9a-f]{8}-[0-9a-f-]{27}/.exec(admin('member', company, name, '--sponsor', member))[0]
  const people = {}
  for (const [name, shares, minutes] of [['Ben Okafor', 3, 20], ['Rosa Delgado', 1, 45]]) {
    const id = member2(name)
    const at = (...args) => run('device', '--data', path.join(tmp, id), ...args)
    people[name] = at
    at('join', base, code(id))
    at('profile', `name=${name}`, `zone=${home}`)
    at('goal', 'share', '1')
    for (let i = 0; i < shares; i++) at('done', 'share')
    at('done', 'learn', String(minutes))
    at('sync')
  }
  atDesk('done', 'share')
  atDesk('done', 'share')
  atDesk('sync')
  await kill()
  await serve('--boards-every', '10s') // it looks at once, and then every ten seconds

  const phone = await profile('phone')
  await join(phone, member)
  const go = async where => { await phone.evaluate(w => { location.hash = `#/${w}` }, where) }
  await go('boards')
  // The phone asks when a screen is opened, and soon again only when it was loaded anew.
  for (let i = 0; ; i++) {
    if (await phone.getByText('Ben O.').first().waitFor({ timeout: 2500 + 1500 * i }).then(() => true, () => false)) break
    if (i > 12) throw new Error('no board came')
    await phone.reload()
  }
  must(true, 'who acted is on a board, by first name and initial')
  must(await phone.getByText('Okafor').count() === 0, 'and by no more than that')
  await phone.getByRole('radio', { name: 'Shares' }).click()
  const row = name => phone.locator('.ranks li').filter({ hasText: name })
  await row('Ben O.').waitFor()
  await soon(async () => (await row('Ben O.').locator('.rank').textContent()) === '1' && (await row('You').locator('.rank').textContent()) === '2', 'Ben with three shares goes before two of one’s own')
  const score = async part => await row('Ben O.').locator(`.score ${part}`).textContent()
  await soon(async () => await score('.num') === '3' && await score('small [aria-hidden]') === 'noted by hand' && await score('.hide') === ' noted by hand',
    'what was only told is one number, said once to be noted by hand')
  await soon(async () => /2/.test(await phone.locator('.mine .rank').textContent()), 'one’s own place is in sight')
  await shot(phone, 'boards')
  await phone.getByRole('radio', { name: 'Downline' }).click()
  await row('Ben O.').waitFor()
  await soon(async () => await phone.getByRole('radio', { name: 'Month' }).count() === 1, 'a month can be chosen')
  await phone.getByRole('button', { name: 'The one before' }).click()
  await phone.getByText('Last week').waitFor()
  await phone.getByRole('button', { name: 'The newest' }).click()

  await phone.evaluate(() => { navigator.share = async what => { window.sent = what.text } })
  await phone.locator('.cheers .cheer').first().click()
  await phone.getByText('Cheered').first().waitFor()
  must(/Congratulations, (Ben|Rosa)!/.test(await phone.evaluate(() => window.sent)), 'who was recognised is cheered by a message')

  await go('team')
  await phone.locator('.mate').first().waitFor()
  const text = () => phone.locator('.screen').textContent()
  await soon(async () => /Ben Okafor/.test(await text()) && /Rosa Delgado/.test(await text()), 'a sponsor sees the direct team')
  await soon(async () => /Ben: the first goal day is done/.test(await text()), 'with what the log proves, and nothing of what was not done')
  await shot(phone, 'team')

  // Everybody can use them, with somebody on the board and in the team, in every theme.
  await phone.emulateMedia({ reducedMotion: 'reduce' })
  for (const theme of ['light', 'dark', 'sun']) {
    await phone.evaluate(t => { document.documentElement.dataset.theme = t }, theme)
    for (const [screen, there] of [['boards', '.ranks'], ['team', '.mate']]) {
      await go(screen)
      await phone.locator(there).first().waitFor()
      await phone.waitForTimeout(150)
      await phone.evaluate(`${axe.source}; 0`)
      let violations
      for (let i = 0; i === 0 || (violations.length > 0 && i < 10); i++) { // while colours and lists still come in it may find what goes
        if (i > 0) await phone.waitForTimeout(500)
        ;({ violations } = await phone.evaluate(() => globalThis.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'], resultTypes: ['violations'] })))
      }
      for (const v of violations) console.error(`  ${screen} ${theme}: ${v.id}: ${v.nodes[0].html.slice(0, 160)} ${v.nodes[0].any[0]?.message ?? ''}`)
      must(violations.length === 0, `axe finds nothing on ${screen}, ${theme}`)
    }
  }
  await phone.evaluate(() => { document.documentElement.dataset.theme = 'light' })

  await phone.evaluate(() => navigator.serviceWorker.ready)
  await phone.waitForFunction(async () => { // all that the app needs lies on the phone
    const names = await caches.keys()
    const all = await Promise.all(names.map(async n => (await (await caches.open(n)).keys()).map(r => r.url)))
    return all.flat().some(u => /core.*wasm/.test(u)) && all.flat().some(u => /sqlite3.*wasm/.test(u))
  })
  await safe(phone)
  await kill()
  await phone.context().setOffline(true)
  await go('boards')
  await phone.reload()
  await phone.locator('.ranks').waitFor()
  await soon(async () => await phone.getByText('Ben O.').count() > 0, 'offline, after loading again, the board is as last known')
  await phone.getByText(/^As of/).waitFor()
  must(true, `and says of when: ${await phone.locator('.asof').textContent()}`)
  await shot(phone, 'boards-offline')
  await go('more')
  await phone.getByRole('switch').click()
  await phone.getByText('nobody else sees your numbers').waitFor()
  must(true, 'who wants to be on no board says so, offline too')
  await shot(phone, 'more-boards')

  await serve('--boards-every', '10s')
  await phone.context().setOffline(false)
  await safe(phone)
  const ben = people['Ben Okafor']
  for (let i = 0; ; i++) {
    const out = ben('boards')
    if (/Rosa D\./.test(out) && !/Maya/.test(out)) break
    if (i > 60) throw new Error(`still on a board: ${out}`)
    await phone.waitForTimeout(1000)
  }
  must(true, 'and is on no board of others')
})
