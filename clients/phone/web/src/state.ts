// What all screens share: signals over the device's answers. A query is asked again when the device says that something
// changed; while it is under way the last answer stays on screen.
import { signal } from '@preact/signals'
import { brand, type Brand, wear } from './brand'
import { type Alert, type Award, type Captured, type Device, DeviceError, type Habit, keyOf, type List, type Member, type Newcomer, type Suggestion, type Sync } from './device'
import { didAct } from './install'
import { clear, recall, remember } from './keep'
import { keep, kept, unkeep } from './kept'
import { language, speak, t } from './i18n'
import { inWords, told } from './known'

export const list = signal<List>('prospects')
export const three = { prospects: signal<Suggestion[] | null>(null), members: signal<Suggestion[] | null>(null) }
export const habit = signal<Habit | null>(null)
export const sync = signal<Sync | null>(null)
export const member = signal<Member | null>(null)
export const newcomer = signal<Newcomer | null>(null)
/** news is what has just happened and was not looked at yet, the most valuable first. */
export const news = signal<Alert[]>([])
/** met is whom the member captured on the last days; it is asked for when an evening comes or the review is open. */
export const met = signal<Captured[]>([])
/** asKept is while screens show what they showed last: the device has not answered yet. */
export const asKept = signal(false)
/** safe is when all was safe on the server, ms since 1970; 0: never yet. */
export const safe = signal(Number(recall('safe')))
export const trouble = signal<DeviceError | null>(null)
/** stuck is why there is nothing to show: the device did not even say whose it is. */
export const stuck = signal<DeviceError | null>(null)
export const toast = signal<{ text: string; undo?: () => void } | null>(null)
export const theme = signal(recall('theme') || 'auto')
/** joining says that this phone has just become a member's: once the book is here, the first steps follow. */
export const joining = signal(false)

const watchers = new Set<() => void>()
// ms. What a tap changes is shown at once; while a whole book comes in, screens ask no more often than this.
const gap = 250

let device: Device
let gone = 0

/** say shows a line for some seconds, with a way back where there is one. */
export function say(text: string, undo?: () => void) {
  toast.value = undo ? { text, undo } : { text }
  clearTimeout(gone)
  gone = window.setTimeout(() => { toast.value = null }, undo ? 7000 : 3500)
}

/** ask calls the device; what a person can act on is shown, and the caller gets undefined. */
export async function ask<T>(method: string, args?: object, key?: string): Promise<T | undefined> {
  try {
    const got = await device.call<T>(method, args, key)
    if (method === 'act' || method === 'log') didAct()
    return got
  } catch (e) {
    if (!member.value) { stuck.value = told(e); return undefined }
    const me = method !== 'join' && await device.call<Member>('member').catch(() => null)
    if (me && (me.left || !me.joined)) { member.value = me; forget(); return undefined } // the book is gone: that is what the screen says
    trouble.value = told(e)
    return undefined
  }
}

/** night is how long a day goes on after midnight, ms. */
export const night = 4 * 3_600_000

/** late says that the day is so far gone that one looks back on it: from six in the evening. */
export const late = () => new Date(Date.now() - night).getHours() >= 14

/** asAlerts keeps what is shown already and still news: it is noted as shown the moment it is, and comes no second time. */
function asAlerts(due: Alert[]): Alert[] {
  const now = Date.now()
  const old = news.value.filter(a => a.until > now && !due.some(d => d.key === a.key))
  return [...due, ...old]
}

let asked = 0
export async function refresh() {
  const turn = ++asked
  const me = await ask<Member>('member')
  if (me) member.value = me
  if (me?.language && !recall('language')) { // another device of theirs has it: this one has not been told otherwise
    remember('language', me.language)
    await speak(me.language)
  }
  const lang = language.value
  if (!me?.joined) {
    if (me) forget()
    return
  }
  if (me.left) { forget(); return } // there is nothing to show
  /** take shows an answer as soon as it is here; a later turn has the newer ones. */
  const take = async <T>(got: Promise<T | undefined>, show: (v: T) => void) => {
    const v = await got
    if (v && turn === asked) show(v)
    return v
  }
  const lists = Promise.all([
    take(ask<Suggestion[]>('top', { list: 'prospects', lang }), v => { three.prospects.value = v }),
    take(ask<Suggestion[]>('top', { list: 'members', lang }), v => { three.members.value = v }),
  ])
  const others = Promise.all([
    take(ask<Habit>('habit', { lang }), v => { habit.value = v }),
    take(ask<Sync>('sync'), v => {
      sync.value = v
      if (!noRoom && inWords(v.trouble ?? '').code === 'full') { noRoom = true; trouble.value = told(v.trouble) }
      if (v.state === 'level') { noRoom = false; safe.value = Date.now(); remember('safe', String(safe.value)) }
    }),
    take(ask<Alert[]>('alerts', { lang }), v => { news.value = asAlerts(v) }),
    take(ask<Newcomer>('newcomer', { lang }), v => { newcomer.value = v }),
    late() ? take(ask<Captured[]>('captured'), v => { met.value = v }) : undefined,
  ])
  const [p, m] = await lists
  if (turn === asked && p && m) {
    asKept.value = false
    answered()
  }
  const [h, s] = await others
  if (turn !== asked) return
  if (p && m && h && s) {
    if (s.state === 'left' || s.state === 'ended') unkeep()
    else keep({ lang, member: me, three: { prospects: p, members: m }, habit: h })
  }
  const version = [...(p ?? []), ...(m ?? [])][0]?.playbook
  if (!dressed || (version && version !== brand.value.version)) {
    const b = await ask<Brand>('brand')
    if (b) { dressed = true; wear(b) }
  }
}
let dressed = false
let noRoom = false // what the server has does not fit: it is said once, as an empty screen would pass for an empty book

/** forget drops what was shown of a book that is not here any more. */
function forget() {
  three.prospects.value = three.members.value = habit.value = sync.value = newcomer.value = null
  news.value = []
  met.value = []
  unkeep()
  safe.value = 0
  asKept.value = dressed = false
  clear()
}

let answered = () => {}
const answer = new Promise<void>(done => { answered = done })

/** stands waits until the device has answered, and returns whether it still suggests what was shown, perhaps as kept. */
export async function stands(s: Suggestion): Promise<boolean> {
  if (!asKept.value) return true
  await answer
  if ([three.prospects, three.members].some(l => l.value?.some(o => keyOf(o) === keyOf(s)))) return true
  say(t('today.changed'))
  return false
}

/** start has the screens live on a device, in place of the one before. */
export async function start(d: Device) {
  if (device) device.close()
  device = d
  const k = kept(language.value)
  if (k) {
    asKept.value = true
    member.value = k.member
    three.prospects.value = k.three.prospects
    three.members.value = k.three.members
    habit.value = k.habit
  }
  let due = 0
  let last = 0
  d.changed(() => {
    due ||= window.setTimeout(() => {
      due = 0
      for (const f of watchers) f()
      void refresh().finally(() => { last = performance.now() })
    }, Math.max(16, last + gap - performance.now()))
  })
  await refresh()
}

// What depends on the hour (quiet hours, what is news, the evening, the day itself) is asked anew when the app is taken up again, and with
// each quarter of an hour that begins while somebody looks at it.
const quarter = () => Math.floor(Date.now() / 900_000)
let seen = Date.now(), at = quarter()
const hourly = () => {
  if (document.visibilityState !== 'visible' || !device || (Date.now() - seen < 60_000 && quarter() === at)) return
  seen = Date.now()
  at = quarter()
  void refresh()
}
document.addEventListener('visibilitychange', hourly)
setInterval(() => { if (quarter() !== at) hourly() }, 15_000)

/** celebrate says what badge was reached, once. What has a way back stays beside it. */
export async function celebrate() {
  const won = await ask<Award[]>('celebrate', { lang: language.value })
  for (const a of won ?? []) {
    const { text, undo } = toast.value ?? {}
    const badge = t('goals.badge', { label: a.label, level: a.level })
    say(undo ? `${text} · ${badge}` : badge, undo)
  }
}

/** talk has this phone speak a language from now on. */
export function talk(lang: 'en' | 'es') {
  remember('language', lang)
  void speak(lang).then(refresh)
}

/** wake looks for the server now. */
export const wake = () => device.wake()

/** watch calls f when what is shown may be another; see gap. */
export const watch = (f: () => void) => { watchers.add(f); return () => { watchers.delete(f) } }
