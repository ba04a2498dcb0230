// A new version of the app waits until somebody says so, and no tab has a half-written form then. All tabs are loaded again,
// the one that leads last: who waits for the lock behind it is of the new version by then.
import { computed, signal } from '@preact/signals'

const waiting = signal<ServiceWorker | null>(null)
/** other says that a tab of a build is open that this one must not work with. */
export const other = signal<'' | 'older' | 'newer'>('')
export const busyElsewhere = signal(false)
export const leads = signal(false)

export const sheets = signal(0) // open ones
const typing = signal(false) // somewhere on the page
const drafts = signal(0) // what was written and is not kept yet, or is in the midst of something
/** writing says that loading again would take something from under somebody's hands. */
export const writing = computed(() => sheets.value > 0 || typing.value || drafts.value > 0)
export const ready = computed(() => (waiting.value !== null && !writing.value))

const during = (n: typeof sheets) => () => { n.value++; return () => { n.value-- } }
/** inSheet and inDraft are for effects: from then until what they return is called. */
export const inSheet = during(sheets)
export const inDraft = during(drafts)

const field = (e: EventTarget | null) => e instanceof HTMLTextAreaElement || (e instanceof HTMLInputElement && e.type !== 'checkbox')
addEventListener('focusin', e => { typing.value = field(e.target) })
addEventListener('focusout', () => { typing.value = false })
// A field that goes with its screen says nothing.
for (const when of ['click', 'hashchange']) addEventListener(when, () => setTimeout(() => { typing.value = field(document.activeElement) }))

const tabs = new BroadcastChannel('trio-update')
let refused = () => {}
tabs.onmessage = ({ data }: MessageEvent<'may we' | 'not now'>) => {
  if (data === 'may we' && writing.value) tabs.postMessage('not now')
  if (data === 'not now') refused()
}

/** watch looks for new versions: now, and each time the app is taken up again. */
export async function look() {
  if (!('serviceWorker' in navigator) || !import.meta.env.PROD) return
  const at = await navigator.serviceWorker.register('/app/sw.js', { scope: '/app/' }).catch(() => null)
  if (!at) return // a private window, or no signal on the first visit
  navigator.serviceWorker.controller?.postMessage('here')
  const had = navigator.serviceWorker.controller !== null // else the first visit's, which takes nobody's place
  const see = () => { if (had || navigator.serviceWorker.controller) waiting.value = at.waiting }
  see()
  at.addEventListener('updatefound', () => at.installing?.addEventListener('statechange', see))
  document.addEventListener('visibilitychange', () => { if (document.visibilityState === 'visible') void at.update().catch(() => {}) })
  navigator.serviceWorker.addEventListener('controllerchange', () => { if (had) setTimeout(again, leads.value ? 600 : 0) })
}

/** again loads the page, as soon as nothing is half-written on it. */
function again() {
  const stop = writing.subscribe(w => { if (!w) { queueMicrotask(() => stop()); location.reload() } })
}

/** update takes the new version up, unless a tab has a half-written form: then it says so and waits. */
export async function update() {
  busyElsewhere.value = false
  let no = false
  refused = () => { no = true }
  tabs.postMessage('may we')
  await new Promise(f => setTimeout(f, 1000)) // on a busy phone a tab behind this one takes a while to answer
  if (no) { busyElsewhere.value = true; return }
  const at = await navigator.serviceWorker.getRegistration('/app/')
  if (!at?.waiting) await at?.update().catch(() => {})
  const next = at?.waiting ?? at?.installing
  if (!next) { location.reload(); return }
  const go = () => { if (next.state === 'installed') next.postMessage('take over') }
  go()
  next.addEventListener('statechange', go)
}
