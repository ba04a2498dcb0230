// Taking a step, from wherever it is offered: opening the program that calls or writes, the one question on return, and what
// else may be done with a suggestion.
import { signal } from '@preact/signals'
import { useState } from 'preact/hooks'
import { type Outcome, shown as asShown, type Suggestion } from '../device'
import { day, instant, type Key, t } from '../i18n'
import { ask, celebrate, habit, news, say, stands } from '../state'
import { onClear, recall, recallAs, remember } from '../keep'
import { links } from '../links'
import { touring } from '../tour'
import { Sheet } from '../ui/bits'
import { Icon } from '../ui/icon'
import { used, wordsOf } from '../words'

/** Gone is a step that was sent off from here, at a time (ms), and the key that its outcome is written under: whichever tab
 * is answered first. */
interface Gone { s: Suggestion; key: string; at: number }
const stale = 12 * 3_600_000 // ms: nobody is asked about yesterday
const left = recallAs<Gone | null>('gone', null)
/** gone is asked about on return, also when the phone closed the app meanwhile. */
const gone = signal<Gone | null>(left && Date.now() - left.at < stale ? left : null)
window.addEventListener('storage', (e: StorageEvent) => { if (e.key === 'gone' && !e.newValue) gone.value = null })
const now = (s: Suggestion): Gone => ({ s, key: crypto.randomUUID(), at: Date.now() })
const ways = signal<Suggestion | null>(null)
/** Reachless is who cannot be reached by a way yet. */
type Reachless = Pick<Suggestion, 'contact' | 'first' | 'name'>
const numberOf = signal<Reachless | null>(null)
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
export const did = (s: Suggestion) => { gone.value = now(s) }

/** addNumber asks for what is missing to reach somebody by. */
export const addNumber = (s: Reachless) => { numberOf.value = s }

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

/** plan promises the step for a day: it is at the top then. Today it is off the list. */
export async function plan(s: Suggestion, date: string) {
  if (!await stands(s)) return
  const made = await ask<{ id: string }>('log', { entry: { kind: 'promise', contact: s.contact, due: date, evidence: 'E1' } })
  if (!made) return
  if (date > (habit.value?.date ?? '')) await ask('decline', { ...asShown(s), choice: 'skipped' })
  over(s)
  say(t('toast.planned', { name: s.first || s.name, when: day(date, { weekday: 'long', day: 'numeric', month: 'long' }) }))
}

/** hour is when quiet hours end, in words: the time, and the day where it is another one. */
export function hour(ms: number): string {
  const time = instant(ms, { hour: 'numeric', minute: '2-digit' })
  return new Date(ms).getDate() === new Date().getDate() ? time : `${instant(ms, { weekday: 'long' })}, ${time}`
}

/** dateAt is the day of an instant by this phone's clock. */
export const dateAt = (ms: number) => { const d = new Date(ms); return `${d.getFullYear()}-${String(d.getMonth() + 1).padStart(2, '0')}-${String(d.getDate()).padStart(2, '0')}` }

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

/** Asking is the one question on return. */
function Asking({ gone: { s, key: once } }: { gone: Gone }) {
  const written = s.channel === 'text' || s.channel === 'email'
  const all: [Key, Outcome, 'text' | 'check' | 'spark' | 'clock' | 'no'][] = [
    ...(written ? [['ask.sent', '', 'check'] as [Key, Outcome, 'check']] : []),
    ['ask.reached', written ? 'replied' : 'answered', 'text'], ['ask.moved', 'moved', 'spark'], ['ask.not_ready', 'not_ready', 'clock'],
    ...(written || s.channel === 'in_person' ? [] : [['ask.no_answer', 'no_answer', 'no'] as [Key, Outcome, 'no']]),
  ]
  const answer = async (outcome: Outcome) => {
    const then = didAsk.value
    settle()
    const made = await ask<{ id: string }>('act', { ...asShown(s), outcome }, once)
    if (!made) return
    used(s)
    over(s)
    then?.(made.id)
    say(t('toast.done', { name: s.name }), () => void ask('takeBack', { id: made.id }))
    void celebrate()
  }
  return (
    <Sheet title={t('ask.title', { name: s.first || s.name })} onClose={settle}>
      <div class="answers">
        {all.map(([key, outcome, icon], i) => <button class={`button ${i === 0 ? 'main' : ''}`} key={key} onClick={() => void answer(outcome)}><Icon name={icon} />{t(key)}</button>)}
        <button class="button quiet" onClick={settle}>{t('ask.not')}</button>
      </div>
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
function Reach({ s }: { s: Reachless }) {
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
