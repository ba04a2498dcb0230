import { signal } from '@preact/signals'
import { useRef } from 'preact/hooks'
import { keyOf, type List, type Outcome, shown as asShown, type Suggestion } from '../device'
import { type Key, t } from '../i18n'
import { ask, celebrate, list, say, three } from '../state'
import { Sheet } from '../ui/bits'
import { Icon } from '../ui/icon'
import { links } from '../links'

const open = signal<string | null>(null) // the card that shows its words
const gone = signal<Suggestion | null>(null) // sent off from here: what came of it is asked on return
const ways = signal<Suggestion | null>(null)

const other: Record<List, List> = { prospects: 'members', members: 'prospects' }

/** Today is the two lists of three. A swipe of the thumb flips between them; on a desk they stand side by side. */
export function Today() {
  const from = useRef<{ x: number; y: number } | null>(null)
  const wide = matchMedia('(min-width: 900px)').matches
  return (
    <>
      <div class="track" onPointerDown={e => { from.current = { x: e.clientX, y: e.clientY } }}
        onPointerUp={e => {
          const f = from.current
          from.current = null
          if (f && Math.abs(e.clientX - f.x) > 60 && Math.abs(e.clientY - f.y) < 50) { list.value = other[list.value]; open.value = null }
        }}>
        {wide ? <div class="lists"><Three which="prospects" headed /><Three which="members" headed /></div> : <Three which={list.value} key={list.value} />}
      </div>
      {ways.value && <Ways s={ways.value} />}
      {gone.value && <Asking s={gone.value} />}
    </>
  )
}

function Three({ which, headed }: { which: List; headed?: boolean }) {
  const all = three[which].value
  if (!all) return null
  const shown = all.find(s => keyOf(s) === open.value) ?? all[0]
  return (
    <section class="swap" aria-label={t(`today.${which}`)}>
      {headed && <h2 class="part">{t(`today.${which}`)}</h2>}
      {all.length === 0 ? (
        <div class="nothing card"><Icon name="check" /><h2>{t('today.none')}</h2><p class="soft">{t('today.none.hint')}</p></div>
      ) : (
        <ol class="three">{all.map((s, i) => <li key={keyOf(s)}>{s === shown ? <Open s={s} rank={i + 1} /> : <Closed s={s} rank={i + 1} />}</li>)}</ol>
      )}
    </section>
  )
}

function Closed({ s, rank }: { s: Suggestion; rank: number }) {
  return (
    <div class="card">
      <button class="closed" onClick={() => { open.value = keyOf(s) }}>
        <span class="rank">{rank}</span>
        <span><strong>{s.step}</strong><small>{s.reasons[0]?.text}</small></span>
        <Icon name="down" />
      </button>
    </div>
  )
}

function Open({ s, rank }: { s: Suggestion; rank: number }) {
  return (
    <article class="card pick">
      <div class="who"><h2><a href={`#/person/${s.contact}`}>{s.name}</a></h2><span class="rank" aria-hidden="true">{rank}</span></div>
      <p class="step">{s.step}</p>
      {s.reasons.slice(0, 2).map(r => <p class="why" key={r.code}><Icon name={reasonIcon(r.code)} /><span>{r.text}</span></p>)}
      {s.wording && <blockquote class="say" aria-label={t('today.words')}>{s.wording}</blockquote>}
      <div class="go">
        <button class="button main" onClick={() => start(s)}><Icon name={s.channel} />{t(`today.${s.channel}`, { name: s.first || s.name })}</button>
        <button class="button square" aria-label={t('today.did')} onClick={() => { gone.value = s }}><Icon name="check" /></button>
      </div>
      <div class="after">
        <button class="button quiet" onClick={() => decline(s, 'skipped')}><Icon name="clock" />{t('today.later')}</button>
        <button class="button quiet" onClick={() => decline(s, 'dismissed')}><Icon name="no" />{t('today.not')}</button>
      </div>
    </article>
  )
}

const reasonIcon = (code: string) => (/cycle|order/.test(code) ? 'bag' : /answers|spoke/.test(code) ? 'text' : /attended|absent|watched|registered/.test(code) ? 'eye' : /form|clicked|interest/.test(code) ? 'spark' : 'clock')

/** start opens the program that calls or writes. That it was opened is noted at once; what came of it is asked on return. */
function start(s: Suggestion) {
  const all = links(s.channel, s.phone, s.email, s.wording)
  if (all.length > 1) { ways.value = s; return }
  leave(s, all[0]?.href)
}

function leave(s: Suggestion, href?: string) {
  ways.value = null
  if (href) {
    location.href = href
    const back = () => { if (document.visibilityState === 'visible') { document.removeEventListener('visibilitychange', back); gone.value = s } }
    document.addEventListener('visibilitychange', back)
    setTimeout(() => { if (document.visibilityState === 'visible') back() }, 1200) // nothing opened over us
  } else gone.value = s
}

function Ways({ s }: { s: Suggestion }) {
  return (
    <Sheet title={t('today.how')} onClose={() => { ways.value = null }}>
      <div class="answers">{links(s.channel, s.phone, s.email, s.wording).map(l => (
        <button class="button" key={l.way} onClick={() => leave(s, l.href)}><Icon name="text" />{t(`today.${l.way}` as Key)}</button>
      ))}</div>
    </Sheet>
  )
}

/** Asking is the one question on return. */
function Asking({ s }: { s: Suggestion }) {
  const written = s.channel === 'text' || s.channel === 'email'
  const all: [Key, Outcome, 'text' | 'check' | 'spark' | 'clock' | 'no'][] = [
    ...(written ? [['ask.sent', '', 'check'] as [Key, Outcome, 'check']] : []),
    ['ask.reached', written ? 'replied' : 'answered', 'text'], ['ask.moved', 'moved', 'spark'], ['ask.not_ready', 'not_ready', 'clock'],
    ...(written ? [] : [['ask.no_answer', 'no_answer', 'no'] as [Key, Outcome, 'no']]),
  ]
  const answer = async (outcome: Outcome) => {
    gone.value = null
    const made = await ask<{ id: string }>('act', { ...asShown(s), outcome })
    if (!made) return
    say(t('toast.done', { name: s.name }), () => void ask('takeBack', { id: made.id }))
    void celebrate()
  }
  return (
    <Sheet title={t('ask.title', { name: s.first || s.name })} onClose={() => { gone.value = null }}>
      <div class="answers">
        {all.map(([key, outcome, icon], i) => <button class={`button ${i === 0 ? 'main' : ''}`} key={key} onClick={() => void answer(outcome)}><Icon name={icon} />{t(key)}</button>)}
        <button class="button quiet" onClick={() => { gone.value = null }}>{t('ask.not')}</button>
      </div>
    </Sheet>
  )
}

async function decline(s: Suggestion, choice: 'skipped' | 'dismissed') {
  const done = await ask('decline', { ...asShown(s), choice })
  if (done) say(t(choice === 'skipped' ? 'toast.later' : 'toast.not', { name: s.name }))
}
