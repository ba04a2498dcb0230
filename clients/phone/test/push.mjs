// Reminders: turned on from a tap, told to the server, shown in the member's language while no page is looked at, and none where
// one is; a click opens the right list; the number on the app's icon. What a push service would deliver comes by DevTools. This
// browser has no window and so no notifications of its own: what would be shown is noted, as is what the person is asked.
import { createECDH, randomBytes } from 'node:crypto'
import { base, field, join, kill, must, play, profile, serve, shot, soon, three, told } from './lib.mjs'

await play(async () => {
  const { member } = await field()
  await kill()
  await serve('--notice-subject', 'mailto:ops@example.com')
  const page = await profile('phone')
  const context = page.context()
  const answered = method => {
    const p = context.waitForEvent('response', { predicate: r => r.url().endsWith('/v1/push') && r.request().method() === method, timeout: 60_000 })
    p.catch(() => {}) // what it waits for comes after a step that may fail first
    return p
  }
  // No push service is reached from here: what a browser gets from one is made up, with real keys. Badges are noted.
  const ecdh = createECDH('prime256v1')
  ecdh.generateKeys()
  const made = { p256dh: ecdh.getPublicKey('base64url'), auth: randomBytes(16).toString('base64url') }
  await context.addInitScript(({ p256dh, auth }) => {
    window.badges = []
    window.asked = 0
    const may = () => localStorage.getItem('test-permission') ?? 'denied'
    Object.defineProperty(Notification, 'permission', { get: may })
    Notification.requestPermission = async () => { window.asked++; localStorage.setItem('test-permission', 'granted'); return may() }
    navigator.setAppBadge = async n => { window.badges.push(n) }
    navigator.clearAppBadge = async () => { window.badges.push(0) }
    const kept = () => JSON.parse(localStorage.getItem('test-subscription') ?? 'null')
    const subscription = () => {
      const it = kept()
      return it && {
        endpoint: it.endpoint, options: { applicationServerKey: Uint8Array.from(it.key).buffer },
        toJSON: () => ({ endpoint: it.endpoint, expirationTime: null, keys: { p256dh, auth } }),
        unsubscribe: async () => { localStorage.removeItem('test-subscription'); return true },
      }
    }
    PushManager.prototype.getSubscription = async () => subscription()
    PushManager.prototype.subscribe = async ({ applicationServerKey, userVisibleOnly }) => {
      if (!userVisibleOnly) throw new Error('it would tell nobody')
      const n = Number(localStorage.getItem('test-subscriptions') ?? 0) + 1
      localStorage.setItem('test-subscriptions', String(n))
      localStorage.setItem('test-subscription', JSON.stringify({ endpoint: `https://fcm.googleapis.com/fcm/send/${n}`, key: [...new Uint8Array(applicationServerKey)] }))
      return subscription()
    }
  }, made)
  await join(page, member)
  await page.evaluate(() => navigator.serviceWorker.ready)
  await page.evaluate(() => caches.match('/app/index.html').then(r => r ?? new Promise(f => setTimeout(f, 1000))))

  // What is due stands on the icon: as many as both lists hold.
  const onLists = () => page.locator('.segments .num, .segments small, .segments b').allTextContents().catch(() => [])
  await page.waitForFunction(() => window.badges.length > 0)
  let due
  await soon(async () => (due = await page.evaluate(() => window.badges.at(-1))) >= 3 && due <= 6, async () => `the icon says ${due} (${(await onLists()).join('+')})`)

  await page.evaluate(() => { location.hash = '#/more' })
  const line = page.locator('a[href="#/reminders"]')
  await line.waitFor()
  await soon(async () => /Off/.test(await line.textContent()), 'reminders are off by themselves')
  await shot(page, 'push-more')
  await line.click()
  await page.getByText('Your browser blocks').waitFor()
  must(await page.locator('.button.main').count() === 0, 'where the browser blocks notifications it is said, and what to do')
  await shot(page, 'push-denied')
  await page.evaluate(() => localStorage.setItem('test-permission', 'default'))
  await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')))
  await page.locator('.button.main').waitFor()
  must(await page.evaluate(() => window.asked) === 0, 'allowed meanwhile, it offers to turn them on, and has asked for nothing before a tap')
  await shot(page, 'push-off')
  const put = answered('PUT')
  await page.locator('.button.main').click()
  must((await put).status() === 204 && await page.evaluate(() => window.asked) === 1, 'the server took the subscription')
  await page.getByText('On, on this phone').waitFor()
  must(true, 'reminders are on')
  await shot(page, 'push-on')
  await page.locator('select').selectOption('18:00')
  await soon(async () => (await told(page, 'member')).remind === '18:00', 'an hour is chosen')
  await page.reload()
  await page.waitForFunction(() => document.querySelector('select')?.value === '18:00')
  must(true, 'the hour is kept')
  const hours = page.locator('input[type=time]')
  await soon(async () => (await Promise.all([0, 1].map(i => hours.nth(i).inputValue()))).join() === '21:00,08:00', 'the quiet hours of who set none are shown')
  await hours.nth(0).fill('22:30')
  await hours.nth(1).fill('07:15')
  await soon(async () => (await told(page, 'member')).quiet === '22:30-07:15', 'quiet hours are set on the screen')
  await hours.nth(0).fill('')
  must((await told(page, 'member')).quiet === '22:30-07:15', 'half of them are not')
  await page.reload()
  await page.waitForFunction(() => [...document.querySelectorAll('input[type=time]')].map(i => i.value).join() === '22:30,07:15')
  must(true, 'and they are kept')
  await page.getByText('On, on this phone').waitFor()
  must(true, 'still on after the app was loaded again')

  // A push service that gave the browser another address: the next start tells the server.
  await page.evaluate(() => { const it = JSON.parse(localStorage.getItem('test-subscription')); it.endpoint += '/moved'; localStorage.setItem('test-subscription', JSON.stringify(it)) })
  const moved = answered('PUT')
  await page.reload()
  must((await moved).status() === 204 && /moved/.test((await moved).request().postData()), 'another address is told to the server')

  // The service worker, as a push service reaches it.
  const cdp = await context.newCDPSession(page)
  const registrations = new Promise(done => cdp.on('ServiceWorker.workerRegistrationUpdated', e => { const r = e.registrations.find(r => r.scopeURL === `${base}/app/`); if (r) done(r.registrationId) }))
  await cdp.send('ServiceWorker.enable')
  const registrationId = await registrations
  const worker = context.serviceWorkers().find(w => w.url().endsWith('/app/sw.js'))
  const deliver = data => cdp.send('ServiceWorker.deliverPushMessage', { origin: base, registrationId, data: typeof data === 'string' ? data : JSON.stringify(data) })
  const shown = () => worker.evaluate(async () => (await registration.getNotifications()).map(n => ({ title: n.title, body: n.body, tag: n.tag, lang: n.lang, list: n.data?.list })))
  const until = async (what, ok) => {
    for (let i = 0; ; i++) {
      const all = await shown()
      if (ok(all)) { must(true, `${what}: ${JSON.stringify(all)}`); return all }
      if (i > 600) throw new Error(`not so: ${what}: ${JSON.stringify(all)}`)
      await new Promise(f => setTimeout(f, 100))
    }
  }
  await worker.evaluate(() => {
    let all = []
    registration.showNotification = async (title, more) => {
      all = all.filter(n => n.tag !== more.tag)
      all.push({ title, ...more, close() { all = all.filter(n => n !== this) } })
    }
    registration.getNotifications = async () => all
    self.badges = []
    navigator.setAppBadge = async n => { self.badges.push(n) }
  })
  const message = (kind, trigger, list, count) => ({ v: 1, kind, trigger, list, count, until: Date.now() + 3_600_000 })
  await page.evaluate(() => { location.hash = '#/people' })
  await page.locator('.people .row').first().waitFor()
  await deliver(message('due', 'new_lead', 'members', 3))
  await page.waitForTimeout(700)
  must((await shown()).length === 0, 'nothing is shown while the app is looked at')
  await soon(async () => await worker.evaluate(() => self.badges.at(-1)) === 3, 'the number on the icon is the one that came')

  // Nobody looks at the app: another tab is in front, which the browser without a window cannot do, so the page says so.
  await worker.evaluate(() => {
    const all = clients.matchAll.bind(clients)
    clients.matchAll = async o => (await all(o)).map(c => new Proxy(c, { get: (t, k) => (k === 'visibilityState' ? 'hidden' : typeof t[k] === 'function' ? t[k].bind(t) : t[k]) }))
  })
  await deliver(message('due', 'new_lead', 'members', 3))
  await until('the notice of the day, in English', all => all.length === 1 && all[0].title === '3 actions are due' && /who, and what to say/.test(all[0].body) && all[0].tag === 'trio-due')
  await deliver(message('due', 'new_lead', 'members', 1))
  await until('a later one takes its place', all => all.length === 1 && all[0].title === '1 action is due')
  await deliver(message('alert', 'new_lead', 'prospects', 1))
  await until('an alert beside it, with the words of the playbook and no name', all => all.length === 2 && all.some(n => n.tag === 'trio-alert' && n.title === 'Now is the moment' && /^A contact has just filled in your form/.test(n.body)))
  await soon(async () => await worker.evaluate(() => self.badges.at(-1)) >= 1, 'an alert does not make the number smaller than it was')

  // A click brings the app to the right list.
  const click = tag => worker.evaluate(async tag => {
    const notification = (await registration.getNotifications()).find(n => n.tag === tag)
    const event = new ExtendableEvent('notificationclick')
    event.notification = notification
    dispatchEvent(event)
  }, tag)
  await click('trio-due')
  await page.waitForFunction(() => location.hash === '#/')
  await page.locator('.segments [aria-pressed=true], .segments [aria-checked=true], .segments [aria-selected=true]', { hasText: 'Members' }).first().waitFor()
  await until('a click opened Today on members, and took the notice away', all => all.length === 1)
  await click('trio-alert')
  await page.locator('.segments [aria-pressed=true], .segments [aria-checked=true], .segments [aria-selected=true]', { hasText: 'Prospects' }).first().waitFor()
  await until('the other one on prospects', all => all.length === 0)
  await page.goto('about:blank')
  await page.goto(`${base}/app/#/due/members`)
  await three(page).first().waitFor()
  await page.locator('.segments [aria-pressed=true], .segments [aria-checked=true], .segments [aria-selected=true]', { hasText: 'Members' }).first().waitFor()
  must(await page.evaluate(() => location.hash) === '#/', 'opened by a notice when it was closed, the app shows the list too')

  // Spanish, and what no version of ours sends.
  await page.evaluate(() => { location.hash = '#/more' })
  await page.getByText('Español').click()
  await page.waitForFunction(async () => (await (await (await caches.open('trio-notices')).match('/app/notices/words')).json()).lang === 'es')
  await deliver(message('due', 'new_lead', 'prospects', 2))
  await until('in Spanish', all => all.length === 1 && all[0].title === '2 acciones pendientes' && all[0].lang === 'es')
  await deliver(message('alert', 'visiting', 'prospects', 2))
  await until('an alert in Spanish', all => all.some(n => n.tag === 'trio-alert' && n.title === '2 acciones para ahora' && n.body.length > 10))
  for (const odd of ['', 'x', '[]', 'null', '{"v":9}', '{"count":1e99,"kind":"alert","trigger":"__proto__","list":{}}']) {
    await worker.evaluate(async () => { for (const n of await registration.getNotifications()) n.close() })
    await deliver(odd)
    await until(`what is no message of ours (${odd}) is told plainly`, all => all.length === 1 && /^(1 acción pendiente|Es el momento)$/.test(all[0].title))
  }
  await page.evaluate(() => { location.hash = '#/reminders' })
  await page.getByText('Activados en este teléfono').waitFor()
  await shot(page, 'push-es')
  await page.evaluate(() => { document.documentElement.dataset.theme = 'dark' })
  await shot(page, 'push-dark')
  await page.evaluate(() => { document.documentElement.dataset.theme = 'sun' })
  await shot(page, 'push-sun')
  const gone = answered('DELETE')
  await page.getByText('Desactivar en este teléfono').click()
  must((await gone).status() === 204, 'turned off: the server forgot it')
  await page.getByText('Activar recordatorios').waitFor()

  // Elsewhere: an iPhone's Safari, where the app is not installed, and a server that sends none.
  await context.addInitScript(() => {
    delete window.PushManager
    Object.defineProperty(navigator, 'userAgent', { value: 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X)' })
  })
  await page.reload()
  await page.getByText(/(On an|En un) iPhone/).waitFor()
  must(await page.locator('.button.main').count() === 0, 'an iPhone is told to put the app on the home screen first')
  await shot(page, 'push-iphone')
})
