// What all screens share: signals over the device's answers. A query is asked again when the device says that something
// changed; while it is under way the last answer stays on screen.
import { signal } from '@preact/signals'
import { type Award, type Device, DeviceError, type Habit, type List, type Member, type Suggestion, type Sync } from './device'
import { known, language, t } from './i18n'

export const list = signal<List>('prospects')
export const three = { prospects: signal<Suggestion[] | null>(null), members: signal<Suggestion[] | null>(null) }
export const habit = signal<Habit | null>(null)
export const sync = signal<Sync | null>(null)
export const member = signal<Member | null>(null)
/** safe is when all was safe on the server, ms since 1970; 0: never yet. */
export const safe = signal(Number(localStorage.getItem('safe') ?? 0))
export const trouble = signal<DeviceError | null>(null)
export const toast = signal<{ text: string; undo?: () => void } | null>(null)

const watchers = new Set<() => void>()
// ms. What a tap changes is shown at once; while a whole book comes in, screens ask no more often than this.
const gap = 250

let device: Device
let clear = 0

/** say shows a line for some seconds, with a way back where there is one. */
export function say(text: string, undo?: () => void) {
  toast.value = undo ? { text, undo } : { text }
  clearTimeout(clear)
  clear = window.setTimeout(() => { toast.value = null }, undo ? 7000 : 3500)
}

/** ask calls the device; what a person can act on is shown, and the caller gets undefined. */
export async function ask<T>(method: string, args?: object, key?: string): Promise<T | undefined> {
  try {
    return await device.call<T>(method, args, key)
  } catch (e) {
    const { message, hint } = e instanceof DeviceError ? e : { message: String(e), hint: '' }
    trouble.value = new DeviceError(known(message), known(hint))
    return undefined
  }
}

let asked = 0
export async function refresh() {
  const turn = ++asked
  const lang = language.value
  const me = await ask<Member>('member')
  if (me) member.value = me
  if (!me?.joined) return
  const [p, m, h, s] = await Promise.all([
    ask<Suggestion[]>('top', { list: 'prospects', lang }), ask<Suggestion[]>('top', { list: 'members', lang }),
    ask<Habit>('habit', { lang }), ask<Sync>('sync'),
  ])
  if (turn !== asked) return // a later one has the newer answers
  if (p) three.prospects.value = p
  if (m) three.members.value = m
  if (h) habit.value = h
  if (s) {
    sync.value = s
    if (s.state === 'level') { safe.value = Date.now(); localStorage.setItem('safe', String(safe.value)) }
  }
}

export async function start(d: Device) {
  device = d
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

/** celebrate says what badge was reached, once. */
export async function celebrate() {
  const won = await ask<Award[]>('celebrate', { lang: language.value })
  for (const a of won ?? []) say(t('goals.badge', { label: a.label, level: a.level }))
}

/** wake looks for the server now. */
export const wake = () => device.wake()

/** watch calls f when what is shown may be another; see gap. */
export const watch = (f: () => void) => { watchers.add(f); return () => { watchers.delete(f) } }
