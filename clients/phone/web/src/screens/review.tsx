import { signal } from '@preact/signals'
import { useEffect, useRef, useState } from 'preact/hooks'
import { asMessage, type Captured, type Suggestion } from '../device'
import { language, number, t } from '../i18n'
import { ask, met, night } from '../state'
import { onClear, recall, recallAs, remember } from '../keep'
import { back, go } from '../route'
import { inDraft } from '../update'
import { Face } from '../ui/bits'
import { type Heat, HeatPick, heatOf, otherTags } from '../ui/heat'
import { Icon } from '../ui/icon'
import { Say } from '../ui/say'
import { dateAt, Days, hour, planned, promise, start } from './step'

interface Done { date: string; ids: string[] }
const done = signal<Done>(recallAs<Done>('reviewed', { date: '', ids: [] }))
onClear(() => { done.value = { date: '', ids: [] } })
/** evening is the day that is looked back on, in the member's calendar: until four in the morning the one that is just over. */
const evening = () => dateAt(Date.now() - night)
const looked = () => (done.value.date === evening() ? done.value.ids : [])

/** lately is whom the day's review is about: who was captured since it began, and who was at the event that goes on. */
function lately(): Captured[] {
  const today = evening()
  const event = recall('event').trim()
  const todays = met.value.filter(c => c.day >= today)
  const goesOn = event && todays.some(c => c.contact.tags.includes(event)) // an event of last week is over
  return met.value.filter(c => c.day >= today || (goesOn && c.contact.tags.includes(event)))
}

/** toReview is who of them was not looked at yet today. */
export const toReview = () => lately().filter(c => !looked().includes(c.contact.id))

function mark(id: string) {
  done.value = { date: evening(), ids: [...looked(), id] }
  remember('reviewed', JSON.stringify(done.value))
}


/** Review is the end of a day: those who were met, one after the other, each with the first message and the next step. */
export function Review() {
  const [all, set] = useState<string[] | null>(null)
  useEffect(() => { // who it is about is fixed when it begins, so that nobody moves under the thumb
    void ask<Captured[]>('captured').then(got => { if (got) { met.value = got; set(toReview().map(c => c.contact.id)) } })
  }, [])
  if (!all) return null
  const left = all.filter(id => !looked().includes(id))
  const now = met.value.find(c => c.contact.id === left[0])
  if (!now) return <Finished n={looked().length} />
  return <One c={now} at={all.length - left.length + 1} of={all.length} key={now.contact.id} />
}

function Finished({ n }: { n: number }) {
  return (
    <div class="nothing card finished"><div class="bloom" aria-hidden="true">{n > 0 && Array.from({ length: 14 }, (_, i) => <i key={i} style={{ '--turn': `${i * 25.7}deg`, background: ['var(--brand)', 'var(--ember)'][i % 2] }} />)}</div>
      <Icon name={n > 0 ? 'check' : 'moon'} /><h2>{t(n > 0 ? 'review.done' : 'review.none')}</h2>
      <p class="soft">{n > 0 ? t('review.done.hint', { n }) : t('review.none.hint')}</p>
      {n > 0
        ? <button class="button main wide" onClick={() => go('')}>{t('review.close')}</button>
        : <button class="button main wide" onClick={() => go('add')}><Icon name="plus" />{t('app.add')}</button>}
    </div>
  )
}

function One({ c: { contact: c }, at, of }: { c: Captured; at: number; of: number }) {
  const lang = language.value
  const [heat, setHeat] = useState(() => heatOf(c.tags))
  const [note, setNote] = useState(c.note ?? '')
  const [s, setS] = useState<Suggestion | null>(null)
  const [when, setWhen] = useState('')
  const [sent, setSent] = useState(false)
  const due = useRef(0)
  const latest = useRef<(() => void) | null>(null)
  const top = useRef<HTMLHeadingElement>(null)
  const event = otherTags(c.tags)
  useEffect(() => {
    void ask<Partial<Suggestion>>('next', { id: c.id, lang }).then(got => { if (got?.contact) setS(got as Suggestion) })
    top.current?.focus({ preventScroll: true })
    top.current?.closest('.screen')?.scrollTo({ top: 0 })
  }, [])
  useEffect(() => (when ? inDraft() : undefined), [when])
  const flush = () => { clearTimeout(due.current); latest.current?.(); latest.current = null }
  useEffect(() => {
    const leaving = () => { if (document.visibilityState === 'hidden') flush() }
    document.addEventListener('visibilitychange', leaving)
    return () => { document.removeEventListener('visibilitychange', leaving); flush() }
  }, [])
  const pick = (h: Heat) => {
    setHeat(h)
    void ask('edit', { id: c.id, fields: { 'tag/hot': h === 'hot' ? 'yes' : '', 'tag/later': h === 'later' ? 'yes' : '' } })
  }
  const write = (text: string) => {
    setNote(text)
    latest.current = () => void ask('edit', { id: c.id, fields: { note: text.trim() } })
    clearTimeout(due.current)
    due.current = window.setTimeout(flush, 400)
  }
  const next = async () => {
    flush()
    if (when) {
      const who = { contact: c.id, first: s?.first, name: c.display }
      const made = await promise(who, when)
      if (!made) return
      planned(who, when, () => void ask('takeBack', { id: made.id }))
    }
    mark(c.id)
  }
  const way = s?.phone && !(s.quiet && s.email) ? 'text' : s?.email ? 'email' : ''
  const message = s && asMessage(s, way || 'text')
  return (
    <div class="review">
      <div class="progress" role="progressbar" aria-valuemin={0} aria-valuemax={of} aria-valuenow={at} aria-label={t('review.of', { n: number(at), of: number(of) })}><i style={{ width: `${(at / of) * 100}%` }} /></div>
      <div class="head"><Face name={c.display} /><div><h2 tabIndex={-1} ref={top}>{c.display}</h2>
        <p class="soft small">{[t('review.of', { n: number(at), of: number(of) }), ...event].join(' · ')}</p></div></div>
      <HeatPick value={heat} onPick={pick} />
      <label class="field"><span>{t('review.note')}</span><textarea rows={2} value={note} placeholder={t('review.note.hint')} onInput={e => write(e.currentTarget.value)} /></label>
      {s && message && <section class="card pad message"><h2 class="part">{t('review.message')}</h2><Say s={message} />
        {s.quiet && way !== 'email'
          ? <p class="hush"><Icon name="moon" /><span>{t('quiet.until', { name: s.first || s.name, when: hour(s.quiet) })}</span></p>
          : way && <button class={`button wide ${sent ? '' : 'main'}`} disabled={sent} onClick={() => start(message, () => setSent(true))}><Icon name={sent ? 'check' : way} />{t(sent ? 'review.sent' : `today.${way}`, { name: s.first || s.name })}</button>}
      </section>}
      <section><h2 class="part">{t('review.next')}</h2>
        <Days label={t('review.next')} picked={when} onPick={d => setWhen(when === d ? '' : d)} />
      </section>
      <div class="thumb"><button class="button quiet" onClick={() => { flush(); back() }}>{t('review.pause')}</button>
        <button class="button main" onClick={() => void next()}><Icon name="check" />{t(at === of ? 'review.finish' : 'review.following')}</button></div>
    </div>
  )
}
