// Notices on this phone while the app is closed, and the number on its icon. Both say how many steps are due and no names. The
// server sends a push service numbers that only this browser can open; what they say in words was left here for the service worker.
import { effect, signal } from '@preact/signals'
import type { List } from './device'
import { language, t } from './i18n'
import { recall, remember } from './keep'
import { go, route } from './route'
import { ask, list, member, three } from './state'
import { touring } from './tour'

/** What reminders are on this phone. none: the server sends none. */
export type Standing = 'unknown' | 'on' | 'off' | 'denied' | 'install' | 'unsupported' | 'none'
export const standing = signal<Standing>('unknown')

interface Answer { status: number; answer?: { key: string; endpoint?: string } }
const server = async (method: 'GET' | 'PUT' | 'DELETE', body?: object) => (await ask<Answer>('push', { method, ...(body && { body }) })) ?? { status: 0 }

const wanted = {
  get: () => recall('reminders') === 'on',
  set: (on: boolean) => remember('reminders', on ? 'on' : ''),
}

/** What this browser can do. iPhones can only when the app is on the home screen, and then say so by having a PushManager. */
function able(): Standing {
  if ('PushManager' in window && 'Notification' in window && 'serviceWorker' in navigator) return Notification.permission === 'denied' ? 'denied' : 'off'
  const apple = /iPhone|iPad|iPod/.test(navigator.userAgent) || (navigator.platform === 'MacIntel' && navigator.maxTouchPoints > 1)
  return apple && !matchMedia('(display-mode: standalone)').matches ? 'install' : 'unsupported'
}

const bytes = (base64url: string) => Uint8Array.from(atob(base64url.replaceAll('-', '+').replaceAll('_', '/')), c => c.charCodeAt(0))
const same = (a: ArrayBuffer | null, b: Uint8Array) => !!a && a.byteLength === b.byteLength && new Uint8Array(a).every((x, i) => x === b[i])

/** settle looks how it stands, and sees to it that the server has what the browser has. Without signal what was is taken for true. */
export async function settle() {
  const can = able()
  if (can !== 'off' || !wanted.get() || Notification.permission !== 'granted') { standing.value = can; return }
  standing.value = await level()
}

async function level(): Promise<Standing> {
  const at = await server('GET')
  if (at.status === 404) return 'none'
  if (at.status === 0) return 'on'
  if (!at.answer) return 'off' // this phone may not be told anything any more
  const push = (await navigator.serviceWorker.ready).pushManager
  const key = bytes(at.answer.key)
  let sub = await push.getSubscription()
  if (sub && !same(sub.options.applicationServerKey, key)) { await sub.unsubscribe(); sub = null } // it was for another server
  sub ??= await push.subscribe({ userVisibleOnly: true, applicationServerKey: key })
  if (sub.endpoint === at.answer.endpoint) return 'on'
  return (await server('PUT', sub.toJSON())).status === 204 ? 'on' : 'off'
}

/** turnOn asks the person by the browser's own prompt, so it is called from a tap. False: it did not come to be. */
export async function turnOn(): Promise<boolean> {
  const may = await Notification.requestPermission()
  if (may !== 'granted') { standing.value = able(); return may === 'default' }
  try {
    standing.value = await level()
  } catch { // the push service is not reached, or the browser has none
    standing.value = 'off'
  }
  wanted.set(standing.value === 'on')
  return standing.value === 'on' || standing.value === 'none'
}

export async function turnOff() {
  wanted.set(false)
  standing.value = able()
  const sub = await (await navigator.serviceWorker.ready).pushManager.getSubscription()
  await sub?.unsubscribe()
  await server('DELETE')
}

const most = 9 // above it a notice says as much

/** leave keeps what notices say, in the language spoken here, where the service worker finds it without the app. */
async function leave() {
  const lang = language.value
  const now = await ask<Record<string, string>>('notices', { lang })
  if (!now || lang !== language.value) return
  const counts = (key: 'notice.due' | 'notice.now') => Array.from({ length: most + 1 }, (_, n) => t(key, { n }))
  await put('words', { lang, due: counts('notice.due'), now: counts('notice.now'), body: t('notice.due.body'), trigger: now })
}

const put = async (name: string, what: object) => { await (await caches.open('trio-notices')).put(`/app/notices/${name}`, new Response(JSON.stringify(what))) }

/** badge shows a number on the app's icon; 0 shows none. The service worker keeps it when a notice comes. */
async function badge(n: number) {
  await put('badge', { n })
  await (n > 0 ? navigator.setAppBadge?.(n) : navigator.clearAppBadge?.())
}

/** forget leaves no number and no words of a book that is not here any more, and nobody is told of it. */
async function forget() {
  await badge(0)
  await caches.delete('trio-notices')
  await (await (await navigator.serviceWorker?.getRegistration('/app/'))?.pushManager?.getSubscription())?.unsubscribe()
}

/** attend begins it all, once the device answers. Nothing that fails in here is anything that a person can mend. */
export function attend() {
  const quiet = (p: Promise<unknown>) => void p.catch(() => {})
  effect(() => {
    const [p, m] = [three.prospects.value, three.members.value]
    if (touring.value) return // nobody's
    if (member.value && (!member.value.joined || member.value.left)) quiet(forget())
    else if (p && m) quiet(badge(p.length + m.length))
  })
  effect(() => { if (member.value?.joined && !member.value.left && language.value && !touring.value) quiet(leave()) })
  effect(() => { if (route.value[0] === 'due') show(route.value[1]) })
  const joined = effect(() => { if (member.value?.joined && !touring.value) queueMicrotask(() => { joined(); quiet(settle()) }) })
  navigator.serviceWorker?.addEventListener('message', ({ data }: MessageEvent<{ show?: string }>) => { if (data?.show) show(data.show) })
}

/** show opens the list that a notice is about. */
function show(which?: string) {
  if (which === 'prospects' || which === 'members') list.value = which satisfies List
  go('')
}
