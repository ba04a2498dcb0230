import { useEffect, useState } from 'preact/hooks'
import type { Channel, Contact, Logged, Made, Outcome } from '../device'
import { ago, type Key, money, t } from '../i18n'
import { ask, trouble, watch } from '../state'
import { links } from '../links'
import { addNumber, noted, outcomes, When } from './step'
import { Face, Segments, Sheet } from '../ui/bits'
import { later } from '../later'
import { Icon, type IconName, Turned } from '../ui/icon'

const icons: Record<string, IconName> = { call: 'call', text: 'text', email: 'email', meet: 'in_person', order: 'bag', form: 'spark', share: 'share', learn: 'learn', stage: 'flag', promise: 'clock' }

const Edit = later(() => import('./edit'))

export function Person({ id }: { id: string }) {
  const [c, setC] = useState<Contact | null>(null)
  const [gone, setGone] = useState(false)
  const [log, setLog] = useState<Logged[]>([])
  const [logging, setLogging] = useState<Channel | null>(null)
  const [changing, setChanging] = useState(false)
  useEffect(() => {
    let live = true
    const load = async () => {
      const of = ask<Logged[]>('timeline', { id, limit: 200 })
      const a = await ask<Contact>('contact', { id })
      const not = trouble.value?.code === 'gone'
      if (not) trouble.value = null // the screen says it
      if (live) setGone(!a && not)
      const b = await of
      if (live && a) { setC(a); setLog((b ?? []).filter(e => e.kind !== 'suggestion')) } // what the app proposed did not happen
    }
    void load()
    const off = watch(() => void load())
    return () => { live = false; off() }
  }, [id])
  if (gone) return <div class="nothing card" role="status"><Icon name="people" /><h2>{t('err.gone')}</h2><p class="soft">{t('err.gone.hint')}</p><a class="button" href="#/people">{t('app.people')}</a></div>
  if (!c) return null
  const phone = c.phones[0]?.[0]
  const email = c.emails[0]?.[0]
  return (
    <>
      <div class="head"><Face name={c.display} /><div><h1 class={c.display.length > 24 ? 'long' : ''}>{c.display}</h1>
        <p><span class="chip brand">{t(`stage.${c.stage}`)}</span>{c.tags.map(tag => <span class="chip" key={tag}>{tag}</span>)}</p></div></div>
      <div class="acts">
        {([['call', 'person.call', links('call', phone)[0]?.href], ['text', 'person.text', links('text', phone)[0]?.href], ['email', 'person.email', links('email', undefined, email)[0]?.href]] as const).map(([icon, key, href]) => (
          href ? <a class="button" key={key} href={href} onClick={() => setLogging(icon)}><Icon name={icon} />{t(key)}</a> : <span class="button soft" key={key} aria-disabled="true"><Icon name={icon} />{t(key)}</span>
        ))}
        <button class="button" onClick={() => setLogging('call')}><Icon name="check" />{t('person.log')}</button>
      </div>
      <a class="button wide pass" href={`#/share/${c.id}`}><Icon name="share" />{t('share.person')}</a>
      <section><h2 class="part">{t('person.about')}</h2>
        <ul class="card list">
          {c.phones.map(([p, label]) => <li key={p}><Icon name="call" /><span>{p}</span>{label && <small class="soft">{labelled(label)}</small>}</li>)}
          {c.emails.map(([p, label]) => <li key={p}><Icon name="email" /><span>{p}</span>{label && <small class="soft">{labelled(label)}</small>}</li>)}
          {c.note && <li><Icon name="pen" /><span>{c.note}</span></li>}
          {!(phone && email) && <li><button class="line-link" onClick={() => addNumber({ contact: c.id, first: '', name: c.display })}><Icon name="plus" /><span>{t(phone ? 'person.add.email' : email ? 'person.add.phone' : 'person.add.any')}</span><Turned /></button></li>}
          <li><button class="line-link change" onClick={() => setChanging(true)}><Icon name="pen" /><span>{t('person.change')}</span><Turned /></button></li>
        </ul>
      </section>
      <section><h2 class="part">{t('person.time')}</h2>
        {log.length === 0 ? <p class="soft card" style={{ padding: '18px' }}>{t('person.empty')}</p> : (
          <ol class="card list time">{log.map(e => (
            <li key={e.id}><Icon name={icons[e.kind] ?? 'eye'} /><span>{t(`kind.${e.kind}` as Key, { stage: e.stage ? t(`stage.${e.stage}`) : '' })}{e.outcome ? `: ${t(`outcome.${e.outcome}`)}` : ''}{e.cents !== undefined && e.currency ? `, ${money(e.cents, e.currency)}` : ''}
              {e.note && <small class="soft" style={{ display: 'block' }}>{e.note}</small>}</span><small class="soft">{ago(e.at)}</small></li>
          ))}</ol>
        )}
      </section>
      {changing && <Edit now={c} onClose={() => setChanging(false)} />}
      {logging && <Log c={c} first={logging} onClose={() => setLogging(null)} />}
    </>
  )
}

const labels: Record<string, Key> = { mobile: 'label.mobile', home: 'label.home', work: 'label.work' }
const labelled = (label: string) => (labels[label] ? t(labels[label]) : label)

const kinds = { call: 'call', text: 'text', email: 'email', in_person: 'meet' } as const

/** Log notes that there was a contact, and what came of it: one tap when the way is right. */
function Log({ c, first, onClose }: { c: Contact; first: Channel; onClose: () => void }) {
  const [way, setWay] = useState(first)
  const [note, setNote] = useState('')
  const [once] = useState(() => crypto.randomUUID())
  const [touch, setTouch] = useState('')
  const done = async (outcome: Outcome) => {
    const made = await ask<Made>('log', { entry: { kind: kinds[way], contact: c.id, evidence: 'E1', ...(outcome && { outcome }), ...(note.trim() && { note: note.trim() }) } }, once)
    if (made?.undated) { setTouch(made.id); return }
    onClose()
    if (made) noted(c.display, made.id)
  }
  if (touch) return <Sheet title={t('ask.when', { name: c.display })} onClose={() => { onClose(); noted(c.display, touch) }}><When who={{ contact: c.id, name: c.display }} touch={touch} close={onClose} /></Sheet>
  return (
    <Sheet title={t('log.title', { name: c.display })} onClose={onClose}>
      <Segments label={t('log.how')} value={way} onPick={setWay} all={(Object.keys(kinds) as Channel[]).map(value => ({ value, label: t(`kind.${kinds[value]}`) }))} />
      <div class="answers">{outcomes(way).map(([key, outcome, icon]) => <button class="button" key={key} onClick={() => void done(outcome)}><Icon name={icon} />{t(key)}</button>)}</div>
      <label class="field"><span>{t('add.note')}</span><textarea value={note} onInput={e => setNote(e.currentTarget.value)} /></label>
    </Sheet>
  )
}
