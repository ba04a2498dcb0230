// Keeps the app on the phone: all of its files are fetched when it is installed, and answered from here ever after. A new
// version is fetched beside the old one and takes over when no page of the old one is open, so that none is mixed. The core is kept
// unpacked: a browser compiles it while it reads.
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
addEventListener('message', event => { if (event.data === 'take over') skipWaiting() })
addEventListener('install', event => {
  event.waitUntil(caches.open(cache).then(c => Promise.all(files.map(f => keep(c, f)))))
})
addEventListener('activate', event => {
  event.waitUntil(caches.keys().then(all => Promise.all(all.filter(n => n.startsWith('trio-app-') && n !== cache).map(n => caches.delete(n)))))
})
addEventListener('fetch', event => {
  const url = new URL(event.request.url)
  if (event.request.method !== 'GET' || url.origin !== location.origin || !url.pathname.startsWith('/app/')) return
  const file = event.request.mode === 'navigate' ? '/app/index.html' : event.request
  event.respondWith(caches.open(cache).then(c => c.match(file)).then(found => found ?? fetch(event.request)))
})

/* unpack */
