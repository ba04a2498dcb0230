import { effect, signal } from '@preact/signals'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { type Alert, asMessage, type Contact, type End, keyOf, type List, shown as asShown, type Suggestion } from '../device'
import { day, language, t } from '../i18n'
import { asKept, ask, habit, late, list, news, sync, three } from '../state'
import { appName } from '../brand'
import { way, offer, install, notNow } from '../install'
import { go } from '../route'
import { Note, wide } from '../ui/bits'
import { otherTags } from '../ui/heat'
import { Icon, type IconName } from '../ui/icon'
import { Say } from '../ui/say'
import { update, writing } from '../update'
import { addNumber, dateAt, decline, did, hour, plan, start } from './step'
import { toReview } from './review'
import { FirstDays } from './newcomer'
import { ByHand } from './more'

const open = signal<string | null>(null) // the card that shows its words
const other: Record<List, List> = { prospects: 'members', members: 'prospects' }

/** Today is the two lists of three. A swipe of the thumb flips between them; on a desk they stand side by side. */
export function Today() {
  const from = useRef<{ x: number; y: number } | null>(null)
  return (
    <>
      <Above />
      <div class="track" onPointerDown={e => { from.current = { x: e.clientX, y: e.clientY } }}
        onPointerUp={e => {
          const f = from.current
          from.current = null
          if (e.target instanceof HTMLTextAreaElement) return // a text is marked by the same movement
          if (f && Math.abs(e.clientX - f.x) > 60 && Math.abs(e.clientY - f.y) < 50) { list.value = other[list.value]; open.value = null }
        }}>
        {wide.value ? <div class="lists"><Three which="prospects" headed /><Three which="members" headed /></div> : <Three which={list.value} key={list.value} />}
      </div>
      <a class="button quiet wide pass" href="#/share"><Icon name="share" />{t('share.title')}</a>
      <FirstDays />
    </>
  )
}

/** Above is what comes before the three: what has just happened, and else one line at most. Each asks for something. */
function Above() {
  const [byHand, show] = useState(false)
  const first = news.value[0]
  if (first) return <News a={first} key={first.key} />
  const people = late() ? toReview() : []
  return (
    <>
      {sync.value?.newer ? <Note icon="again" act={() => void update()} label={t('update.now')}>{t('update.playbook')}</Note>
      : people.length > 0 ? <Note icon="moon" act={() => go('review')} label={t('review.go')}>{t('review.offer', { n: people.length })}</Note>
      : offer() ? <Note icon="home" onClose={notNow} act={() => (way() === 'ask' ? void install() : show(true))} label={t('install.go')}>{t('install.offer', { app: appName() })}</Note>
      : null}
      {byHand && <ByHand onClose={() => { show(false); notNow() }} />}
    </>
  )
}

const told = new Set<string>() // notices that are noted as shown

/** News is what has just happened with somebody, and the step it asks for. It is noted as shown once it was on the screen. */
function News({ a }: { a: Alert }) {
  useEffect(() => effect(() => {
    if (document.visibilityState !== 'visible' || told.has(a.key)) return
    told.add(a.key)
    void ask('alerted', { key: a.key })
  }), [a.key])
  const here = useRef<HTMLElement>(null)
  useEffect(() => { // who has scrolled down is not to miss it; who writes is not disturbed
    if (!writing.value) here.current?.closest('.screen')?.scrollTo({ top: 0, behavior: matchMedia('(prefers-reduced-motion: reduce)').matches ? 'auto' : 'smooth' })
  }, [a.key])
  const away = () => { news.value = news.value.filter(n => n.key !== a.key) }
  const reach = reachable(a)
  return (
    <section class="card news" ref={here} role="status" aria-label={t('news.label')}>
      <p class="what"><span class="pulse"><Icon name="bell" /></span><strong>{a.notice.replace(/:.*/s, '')}</strong>
        <button class="round" aria-label={t('news.away')} onClick={away}><Icon name="close" /></button></p>
      <p class="soft">{a.step}</p>
      <div class="act">
        <button class="button main" onClick={() => (reach ? start(a) : did(a))}><Icon name={reach ? a.channel : 'in_person'} />{t(reach ? `today.${a.channel}` : 'today.in_person', { name: short(a.first || a.name) })}</button>
        <button class="button square" aria-label={t('today.open', { name: a.name })} onClick={() => go(`person/${a.contact}`)}><Icon name="eye" /></button>
      </div>
    </section>
  )
}

function Three({ which, headed }: { which: List; headed?: boolean }) {
  const all = three[which].value
  const here = useRef<HTMLElement>(null)
  const held = here.current?.contains(document.activeElement)
  useLayoutEffect(() => { // a keyboard and a screen reader go on where the card was
    if (held && document.activeElement === document.body) here.current?.querySelector<HTMLElement>('.pick a')?.focus({ preventScroll: true })
  })
  if (!all) return null
  const busy = news.value[0]?.contact // who is above already
  const shown = all.find(s => keyOf(s) === open.value) ?? all.find(s => s.contact !== busy)
  return (
    <section class="swap" ref={here} aria-label={t(`today.${which}`)}>
      {headed && <h2 class="part">{t(`today.${which}`)}</h2>}
      {all.length === 0 ? (
        <div class="nothing card"><Icon name="check" /><h2>{t('today.none')}</h2><p class="soft">{t('today.none.hint')}</p>
          <button class="button" onClick={() => go('add')}><Icon name="plus" />{t('app.add')}</button></div>
      ) : (
        <ol class="three" data-kept={asKept.value || undefined}>{all.map((s, i) => <li key={keyOf(s)}>{s === shown ? <Open s={s} rank={i + 1} /> : <Closed s={s} rank={i + 1} />}</li>)}</ol>
      )}
    </section>
  )
}

function Closed({ s, rank }: { s: Suggestion; rank: number }) {
  return (
    <div class="card">
      <button class="closed" onClick={() => { open.value = keyOf(s) }}>
        <span class="rank">{rank}</span>
        <span><strong>{s.step}</strong><small>{s.quiet ? t('quiet.short', { when: hour(s.quiet) }) : s.reasons[0]?.text}</small></span>
        <Icon name="down" />
      </button>
    </div>
  )
}

/** reachable says whether the step can be taken by a program of the phone's. */
const reachable = (s: Suggestion) => ((s.channel === 'call' || s.channel === 'text') ? !!s.phone : s.channel === 'email' ? !!s.email : false)

/** short is a name that fits on a button. */
const short = (name: string) => (name.length > 20 ? `${name.slice(0, 19)}…` : name)

/** isNew says that nobody has talked yet: who it is matters more than why now. */
const isNew = (s: Suggestion) => s.reasons.some(r => r.code === 'never_contacted' || r.code === 'captured_ago')

function Open({ s, rank }: { s: Suggestion; rank: number }) {
  const [why, setWhy] = useState(false)
  const name = short(s.first || s.name)
  const hushed = s.quiet && (s.channel === 'call' || s.channel === 'text') ? s.quiet : 0
  const it = hushed && s.email ? asMessage(s, 'email') : s // what may go now
  return (
    <article class="card pick">
      <div class="who"><h2><a href={`#/person/${s.contact}`}>{s.name}</a></h2><span class="rank" aria-hidden="true">{rank}</span></div>
      <p class="step">{s.step}</p>
      {isNew(s) && <Met s={s} />}
      <div class="reasons"><ul>
        {s.reasons.map(r => <li class="why" key={r.code}><Icon name={reasonIcon(r.code)} /><span>{r.text}</span></li>)}
        {s.deadline && near(s.deadline) && <li class="why"><Icon name="flag" /><span>{t('today.until', { when: until(s.deadline) })}</span></li>}
      </ul><button class="round" aria-label={t('today.why')} title={t('today.why')} aria-expanded={why} onClick={() => setWhy(!why)}><Icon name="down" /></button></div>
      {why && <Ends s={s} />}
      <Say s={it} />
      {hushed ? <Quiet s={it} until={hushed} /> : (
        <div class="go">
          {reachable(s)
            ? <button class="button main" onClick={() => start(s)}><Icon name={s.channel} />{t(`today.${s.channel}`, { name })}</button>
            : <button class="button main" onClick={() => did(s)}><Icon name="in_person" />{t('today.in_person', { name })}</button>}
          {reachable(s)
            ? <button class="button square" aria-label={t('today.did')} title={t('today.did')} onClick={() => did(s)}><Icon name="check" /></button>
            : !s.phone && <button class="button square" aria-label={t('reach.title', { name })} title={t('reach.title', { name })} onClick={() => addNumber(s)}><Icon name="call" /></button>}
        </div>
      )}
      <div class="after">
        <button class="button quiet" onClick={() => void decline(s, 'skipped')}><Icon name="clock" />{t('today.later')}</button>
        <button class="button quiet" onClick={() => void decline(s, 'dismissed')}><Icon name="no" />{t('today.not')}</button>
      </div>
    </article>
  )
}

/** near says that a day is close enough to matter today. */
const near = (date: string) => Date.parse(date) - Date.parse(habit.value?.date ?? date) <= 10 * 86_400_000

/** until is a day as people say it. */
function until(date: string): string {
  const now = habit.value?.date ?? date
  const days = Math.round((Date.parse(date) - Date.parse(now)) / 86_400_000)
  if (days <= 0) return t('today.today')
  return days < 7 ? day(date, { weekday: 'long' }) : day(date, { day: 'numeric', month: 'long' })
}

/** Quiet is a card in the quiet hours of where its person lives: until when, and what may be done meanwhile. */
function Quiet({ s, until }: { s: Suggestion; until: number }) {
  const name = short(s.first || s.name)
  const planned = s.trigger === 'promised_follow' && dateAt(until) <= (habit.value?.date ?? '') // it is on today's list as it is
  return (
    <>
      <p class="hush"><Icon name="moon" /><span>{t('quiet.until', { name, when: hour(until) })}</span></p>
      <div class="go">
        {s.email
          ? <button class="button main" onClick={() => start(s)}><Icon name="email" />{t('today.email', { name })}</button>
          : planned ? <button class="button main" onClick={() => did(s)}><Icon name="check" />{t('today.did')}</button>
          : <button class="button main" onClick={() => void plan(s, dateAt(until))}><Icon name="clock" />{t('quiet.plan', { when: hour(until) })}</button>}
        {(s.email || !planned) && <button class="button square" aria-label={t('today.did')} title={t('today.did')} onClick={() => did(s)}><Icon name="check" /></button>}
      </div>
      {s.email && !planned && <button class="button wide below" onClick={() => void plan(s, dateAt(until))}><Icon name="clock" />{t('quiet.plan', { when: hour(until) })}</button>}
    </>
  )
}

/** Met says of somebody whom nobody has talked to where they are from. */
function Met({ s }: { s: Suggestion }) {
  const [c, set] = useState<Contact | null>(null)
  useEffect(() => {
    let live = true
    void ask<Contact>('contact', { id: s.contact }).then(got => { if (live && got) set(got) })
    return () => { live = false }
  }, [s.contact])
  const tags = otherTags(c?.tags ?? [])
  if (!c || (!c.note && tags.length === 0 && !c.company)) return null
  return (
    <p class="met"><span class="soft">{t('met.label')}</span> {[...tags, c.company, c.note?.split('\n')[0]].filter(Boolean).join(' · ')}</p>
  )
}

/** Ends are what would take a suggestion off the list. */
function Ends({ s }: { s: Suggestion }) {
  const [all, set] = useState<End[] | null>(null)
  const lang = language.value
  useEffect(() => { void ask<End[]>('ends', { ...asShown(s), lang }).then(got => set(got ?? [])) }, [keyOf(s), lang])
  if (!all || all.length === 0) return null
  return <div class="ends"><p>{t('today.ends')}</p><ul>{all.map(e => <li key={e.code}>{e.text}</li>)}</ul></div>
}

const reasonIcon = (code: string): IconName => (/cycle|order/.test(code) ? 'bag' : /answers|spoke/.test(code) ? 'text' : /attended|absent|watched|registered/.test(code) ? 'eye' : /form|clicked|interest/.test(code) ? 'spark' : 'clock')
