// Taking a step, from wherever it is offered: opening the program that calls or writes, the one question on return, the day of the
// next talk where this one ended without, and what else may be done with a suggestion.
import { signal } from '@preact/signals'
import { useEffect, useRef, useState } from 'preact/hooks'
import { type Channel, type Made, type Outcome, shown as asShown, type Suggestion } from '../device'
import { day, instant, type Key, t } from '../i18n'
import { asKept, ask, celebrate, habit, member, news, say, stands } from '../state'
import { onClear, recall, recallAs, remember } from '../keep'
import { dateIn } from '../kept'
import { links } from '../links'
import { touring } from '../tour'
import { Sheet } from '../ui/bits'
import { Icon, type IconName } from '../ui/icon'
import { used, wordsOf } from '../words'

/** Gone is a step that was sent off from here, at a time (ms), and the key that its outcome is written under: whichever tab
 * is answered first. touch is the entry of it, once it is in the book and the next day is all that is left to ask. */
interface Gone { s: Suggestion; key: string; at: number; touch?: string }
const stale = 12 * 3_600_000 // ms: nobody is asked about yesterday
const left = recallAs<Gone | null>('gone', null)
/** gone is asked about on return, also when the phone closed the app meanwhile. */
const gone = signal<Gone | null>(left && Date.now() - left.at < stale ? left : null)
window.addEventListener('storage', (e: StorageEvent) => { // another tab was answered
  if (e.key !== 'gone') return
  const it = e.newValue ? JSON.parse(e.newValue) as Gone : null
  if (!it || it.key === gone.value?.key) gone.value = it
})
const now = (s: Suggestion): Gone => ({ s, key: crypto.randomUUID(), at: Date.now() })
const ways = signal<Suggestion | null>(null)
type Who = Pick<Suggestion, 'contact' | 'first' | 'name'>
const numberOf = signal<Who | null>(null)
const didAsk = signal<((id: string) => void) | null>(null)
onClear(() => { gone.value = ways.value = numberOf.value = didAsk.value = null })

/** start opens the program that calls or writes. That it was opened is noted at once; what came of it is asked on return. */
export function start(s: Suggestion, done: ((id: string) => void) | null = null) {
  didAsk.value = done
  const all = links(s.channel, s.phone, s.email, wordsOf(s))
  if (all.length > 1) ways.value = s
  else leave(s, all[0]?.href)
}

/** did asks what came of a step that was taken without the app's help. */
export const did = (s: Suggestion) => { didAsk.value = null; gone.value = now(s) }

/** addNumber asks for what is missing to reach somebody by. */
export const addNumber = (s: Who) => { numberOf.value = s }

function leave(s: Suggestion, href?: string) {
  ways.value = null
  if (touring.value && href) say(t('tour.nothing'))
  const it = now(s)
  if (!href || touring.value) { gone.value = it; return }
  remember('gone', JSON.stringify(it)) // the phone may close the app while another one is in front
  location.href = href
  const back = () => { if (document.visibilityState === 'visible') { document.removeEventListener('visibilitychange', back); gone.value = it } }
  document.addEventListener('visibilitychange', back)
  setTimeout(() => { if (document.visibilityState === 'visible') back() }, 1200) // nothing opened over us
}

/** hold keeps what is left to ask, also when the phone closes the app now. */
const hold = (it: Gone) => { gone.value = it; remember('gone', JSON.stringify(it)) }
const settle = () => { gone.value = null; remember('gone', '') }

/** over takes what a step was about off the news. */
const over = (s: Suggestion) => { news.value = news.value.filter(a => a.contact !== s.contact) }

export async function decline(s: Suggestion, choice: 'skipped' | 'dismissed') {
  if (!await stands(s)) return
  const done = await ask('decline', { ...asShown(s), choice })
  if (!done) return
  used(s)
  over(s)
  say(t(choice === 'skipped' ? 'toast.later' : 'toast.not', { name: s.name }))
}

/** noted says that a touch is in the book, with the way back. */
export function noted(name: string, id: string) {
  say(t('toast.done', { name }), () => void ask('takeBack', { id }))
  void celebrate()
}

/** promise notes that somebody hears from the member on a day: they are at the top then. */
export const promise = ({ contact }: Who, due: string, key?: string) => ask<Made>('log', { entry: { kind: 'promise', contact, due, evidence: 'E1' } }, key)
/** planned says so. */
export const planned = (s: Who, date: string, undo?: () => void) => say(t('toast.planned', { name: s.first || s.name, when: day(date, { weekday: 'long', day: 'numeric', month: 'long' }) }), undo)

/** plan promises the step for a day. Today it is off the list. */
export async function plan(s: Suggestion, date: string) {
  if (!await stands(s) || !await promise(s, date)) return
  if (date > (habit.value?.date ?? '')) await ask('decline', { ...asShown(s), choice: 'skipped' })
  over(s)
  planned(s, date)
}

/** hour is when quiet hours end, in words: the time, and the day where it is another one. */
export function hour(ms: number): string {
  const time = instant(ms, { hour: 'numeric', minute: '2-digit' })
  return new Date(ms).getDate() === new Date().getDate() ? time : `${instant(ms, { weekday: 'long' })}, ${time}`
}

/** dateAt is the day of an instant in the member's calendar: wherever the phone is, a promise is due by the day at home. */
export const dateAt = (ms: number) => dateIn(member.value?.zone, ms)

/** Steps are the sheets of a step that is under way. */
export function Steps() {
  return <>{ways.value && <Ways s={ways.value} />}{numberOf.value && <Reach s={numberOf.value} />}{gone.value && <Asking gone={gone.value} key={gone.value.key} />}</>
}

function Ways({ s }: { s: Suggestion }) {
  return (
    <Sheet title={t('today.how')} onClose={() => { ways.value = null }}>
      <div class="answers">{links(s.channel, s.phone, s.email, wordsOf(s)).map(l => (
        <button class="button" key={l.way} data-href={l.href} onClick={() => leave(s, l.href)}><Icon name="text" />{t(`today.${l.way}` as Key)}</button>
      ))}</div>
    </Sheet>
  )
}

const dayMs = 86_400_000
/** Days are those on which one gets back to somebody, in the member's calendar. picked: one of them, or "", where it may be changed.
 * taps: how many it was at once. */
export function Days({ label, picked, onPick }: { label: string; picked?: string; onPick: (date: string, taps: number) => void }) {
  const today = Date.parse((!asKept.value && habit.value?.date) || dateAt(Date.now()))
  return (
    <div class="days" role="group" aria-label={label}>{([[1, 'review.tomorrow'], [3, 'review.three'], [7, 'review.week']] as const).map(([n, key]) => {
      const d = new Date(today + n * dayMs).toISOString().slice(0, 10)
      return <button key={key} aria-pressed={picked === undefined ? undefined : picked === d} onClick={e => onPick(d, e.detail)}><strong>{t(key)}</strong><small>{day(d, { weekday: 'short', day: 'numeric', month: 'short' })}</small></button>
    })}</div>
  )
}

/** When asks in a sheet for the next day, where a talk ended without one. That they talked is in the book by then: who closes the
 * sheet loses nothing. It is written under a key of the talk's, so that it is one day whoever is asked. */
export function When({ who, touch, close }: { who: Who; touch: string; close: () => void }) {
  const here = useRef<HTMLParagraphElement>(null)
  const name = who.first || who.name
  useEffect(() => { // what was tapped is not there any more
    const title = here.current!.parentElement!.querySelector('h2')!
    title.tabIndex = -1
    title.focus()
  }, [])
  const pick = async (date: string) => {
    const made = await promise(who, date, `${touch} next`)
    if (!made) return
    close()
    planned(who, date, () => void ask('takeBack', { id: made.id }).then(() => noted(who.name, touch)))
    void celebrate()
  }
  return (
    <>
      <p class="soft" ref={here}>{t('ask.when.hint', { name })}</p>
      <Days label={t('ask.when', { name })} onPick={(d, taps) => { if (taps < 2) void pick(d) }} /> {/* the second tap was for what was here before */}
      <button class="button quiet" onClick={e => e.currentTarget.closest('dialog')!.close()}>{t('ask.when.not')}</button>
    </>
  )
}

/** outcomes are what may come of a step by a channel. */
export function outcomes(by: Channel): [Key, Outcome, IconName][] {
  const written = by === 'text' || by === 'email'
  return [
    ...(written ? [['ask.sent', '', 'check'] as [Key, Outcome, IconName]] : []),
    ['ask.reached', written ? 'replied' : 'answered', 'text'], ['ask.moved', 'moved', 'spark'], ['ask.not_ready', 'not_ready', 'clock'],
    ...(by === 'call' ? [['ask.no_answer', 'no_answer', 'no'] as [Key, Outcome, IconName]] : []),
  ]
}

/** Asking is the one question on return, and When. */
function Asking({ gone: it }: { gone: Gone }) {
  const { s, key: once, touch } = it
  const [busy, setBusy] = useState(false)
  const answer = async (outcome: Outcome) => {
    const then = didAsk.value // who has this asked goes on themselves
    const more = !then && !['', 'not_ready', 'no_answer'].includes(outcome)
    if (more) setBusy(true)
    else settle()
    const made = await ask<Made>('act', { ...asShown(s), outcome }, once)
    setBusy(false)
    if (!made) return
    used(s)
    over(s)
    then?.(made.id)
    if (gone.value?.key === once) {
      if (made.undated) { hold({ ...it, touch: made.id }); return }
      settle()
    }
    noted(s.name, made.id)
  }
  const name = s.first || s.name
  return (
    <Sheet title={t(touch ? 'ask.when' : 'ask.title', { name })} onClose={() => { settle(); if (touch) noted(s.name, touch) }}>
      {touch ? <When who={s} touch={touch} close={settle} /> : <div class="answers" aria-busy={busy}>
        {outcomes(s.channel).map(([key, outcome, icon], i) => <button class={`button ${i === 0 ? 'main' : ''}`} key={key} onClick={() => void answer(outcome)}><Icon name={icon} />{t(key)}</button>)}
        <button class="button quiet" onClick={settle}>{t('ask.not')}</button>
      </div>}
    </Sheet>
  )
}

/** dialled is a number as it is called from everywhere, or "" where it is none. */
function dialled(typed: string): string {
  const plain = typed.replace(/[\s().\-/]/g, '').replace(/^00/, '+')
  const code = recall('code').replace(/[^\d+]/g, '')
  const whole = plain.startsWith('+') ? plain : code ? `${code.startsWith('+') ? code : `+${code}`}${plain.replace(/^0/, '')}` : ''
  return /^\+\d{7,15}$/.test(whole) ? whole : ''
}

/** reachedBy is the field of a number or an address that was typed, or "" where it is neither. */
export const reachedBy = (typed: string) => (typed.includes('@') ? `email/${typed.toLowerCase()}` : dialled(typed) && `phone/${dialled(typed)}`)

/** Reach asks for the number or the address of somebody who has none. */
function Reach({ s }: { s: Who }) {
  const [typed, set] = useState('')
  const [wrong, setWrong] = useState(false)
  const save = async (e: Event) => {
    e.preventDefault()
    const it = typed.trim()
    const field = reachedBy(it)
    if (!field) { setWrong(true); return }
    const done = await ask('edit', { id: s.contact, fields: { [field]: field.startsWith('phone') ? 'mobile' : '' } })
    if (done) { numberOf.value = null; say(t('toast.saved', { name: s.name })) }
  }
  return (
    <Sheet title={t('reach.title', { name: s.first || s.name })} onClose={() => { numberOf.value = null }}>
      <form class="stack" onSubmit={e => void save(e)}>
        <label class="field"><span>{t('reach.field')}</span>
          <input value={typed} placeholder="+34 600 000 000" autocomplete="off" autocapitalize="off" aria-invalid={wrong} aria-describedby="reach" enterkeyhint="done" onInput={e => { set(e.currentTarget.value); setWrong(false) }} /></label>
        <p id="reach" class={`small ${wrong ? 'wrong' : 'soft'}`} role={wrong ? 'alert' : undefined}>{t(wrong ? 'reach.wrong' : 'reach.hint')}</p>
        <button class="button main wide" disabled={!typed.trim()}>{t('app.save')}</button>
      </form>
    </Sheet>
  )
}
