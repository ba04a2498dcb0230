// Keeps the app on the phone: all of its files are fetched when it is installed, and answered from here ever after. A new
// version is fetched beside the old one and takes over when somebody says so. Pages of the old one are loaded again then, as soon as
// nothing is half-written on them; until the last one is, its files stay. The core is kept unpacked: a browser compiles it while it reads.
const cache = 'trio-app-__VERSION__'
const files = [/* files */]

const packed = /\.packed$/

async function keep(c, name) {
  const request = new Request(`/app/${name}`, { cache: name.startsWith('assets/') ? 'default' : 'reload' })
  if (!packed.test(name)) return c.add(request)
  const res = await fetch(request)
  if (!res.ok) throw new Error(`HTTP ${res.status}`)
  return c.put(request, new Response(unpack(new Uint8Array(await res.arrayBuffer())), { headers: { 'Content-Type': 'application/wasm' } }))
}

// The page says when: it asks who uses it first, and no tab has a half-written form then.
addEventListener('message', event => {
  if (event.data === 'take over') skipWaiting()
  if (event.data === 'here') event.waitUntil(tidy(event.source.id))
})
addEventListener('install', event => {
  event.waitUntil(caches.open(cache).then(c => Promise.all(files.map(f => keep(c, f)))))
})
addEventListener('activate', event => event.waitUntil(tidy()))

const ours = new Set() // pages that this version has loaded
/** tidy drops older versions, unless a page of theirs may still ask for a file. */
async function tidy(page) {
  if (page) ours.add(page)
  const open = await clients.matchAll({ type: 'window', includeUncontrolled: true })
  if (open.some(c => !ours.has(c.id))) return
  await Promise.all((await caches.keys()).filter(n => n.startsWith('trio-app-') && n !== cache).map(n => caches.delete(n)))
}
addEventListener('fetch', event => {
  const url = new URL(event.request.url)
  if (event.request.method !== 'GET' || url.origin !== location.origin || !url.pathname.startsWith('/app/')) return
  const page = event.request.mode === 'navigate'
  const found = async () => await (await caches.open(cache)).match(page ? '/app/index.html' : event.request) ?? (page ? undefined : await caches.match(event.request)) ?? fetch(event.request)
  event.respondWith(found())
})

/* unpack */

// Notices. What comes says how many steps are due, on which list and upon which trigger; the words lie on this phone, where the
// app left them in the member's language (src/reminders.ts). One of a kind takes the place of the one before.
const plain = { due: [], now: [], trigger: {} }
const kept = async name => (await caches.open('trio-notices')).match(`/app/notices/${name}`).then(r => r?.json()).catch(() => undefined)

addEventListener('push', event => event.waitUntil(told(event.data)))
addEventListener('notificationclick', event => {
  event.notification.close()
  event.waitUntil(show(event.notification.data?.list))
})
addEventListener('pushsubscriptionchange', event => event.waitUntil(subscribe(event)))

async function told(data) {
  let it = {}
  try { it = data.json() } catch { /* of a newer server: that something is due is still so */ }
  const count = Number.isSafeInteger(it?.count) && it.count > 0 ? Math.min(it.count, 99) : 1
  const alert = it?.kind === 'alert'
  const [words = plain, badge] = await Promise.all([kept('words'), kept('badge')])
  const due = alert ? Math.max(count, badge?.n ?? 0) : count
  await navigator.setAppBadge?.(due).catch(() => {})
  const pages = await clients.matchAll({ type: 'window', includeUncontrolled: true })
  if (pages.some(p => p.visibilityState === 'visible')) return // it shows what is due by itself
  const by = alert ? words.now : words.due
  await registration.showNotification(by[Math.min(count, by.length - 1)] ?? `Trio: ${count}`, {
    body: (alert && Object.hasOwn(words.trigger, it.trigger) && words.trigger[it.trigger]) || words.body || '',
    tag: `trio-${alert ? 'alert' : 'due'}`, renotify: alert, icon: '/app/icon.svg', lang: words.lang ?? '', data: { list: it?.list === 'members' ? 'members' : 'prospects' },
  })
}

/** show brings the app to the front, on a list. */
async function show(list) {
  const [page] = await clients.matchAll({ type: 'window', includeUncontrolled: true })
  if (!page) return clients.openWindow(`/app/#/due/${list}`)
  page.postMessage({ show: list })
  return page.focus().catch(() => {}) // the browser wants a tap for it
}

/** subscribe tells the server where this browser is reached now: the push service gave it another address. */
async function subscribe({ newSubscription }) {
  const folder = await navigator.storage.getDirectory()
  const { token } = JSON.parse(await (await (await folder.getFileHandle('trio-access.json')).getFile()).text())
  const headers = { Authorization: `Bearer ${token}` }
  const { key } = await (await fetch('/v1/push', { headers })).json()
  const sub = newSubscription ?? await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key })
  await fetch('/v1/push', { method: 'PUT', headers, body: JSON.stringify(sub) })
}
