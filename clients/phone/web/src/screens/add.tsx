import { useEffect, useRef, useState } from 'preact/hooks'
import { t } from '../i18n'
import { recall, remember } from '../keep'
import { ask, say } from '../state'
import { back } from '../route'
import { Sheet } from '../ui/bits'
import { type Heat, HeatPick } from '../ui/heat'
import { Icon } from '../ui/icon'

interface Draft { name: string; phone: string; heat: Heat; event: string; consent: boolean; note: string }
const blank = (event: string): Draft => ({ name: '', phone: '', heat: 'warm', event, consent: false, note: '' })

/** fieldsOf is all of a draft as the book has it; what is empty is deleted again. */
const fieldsOf = (d: Draft) => ({
  name: d.name.trim(), phone: d.phone.trim(), note: d.note.trim(), consent: d.consent ? 'given' : '',
  ...(d.heat !== 'warm' && { [`tag/${d.heat}`]: 'yes' }), ...(d.event.trim() && { [`tag/${d.event.trim()}`]: 'yes' }),
})

/** Add captures somebody with one hand. Each keystroke is kept: leaving is saving, and there is nothing to lose. */
export function Add() {
  const [d, set] = useState<Draft>(() => blank(recall('event')))
  const [kept, setKept] = useState(false)
  const first = useRef<HTMLInputElement>(null)
  const turn = useRef(Promise.resolve(true))
  const latest = useRef<Draft | null>(null) // what is not on its way yet
  const typed = useRef<Draft | null>(null) // only of what was typed last it is said that it is kept
  const id = useRef(crypto.randomUUID()) // the same for all that is typed of one person
  const due = useRef(0)
  const save = (draft: Draft) => {
    if (!draft.name.trim() && !draft.phone.trim()) return
    setKept(false)
    clearTimeout(due.current)
    latest.current = typed.current = draft
    due.current = window.setTimeout(flush, 300)
  }
  /** flush keeps what was typed last: after a pause, and before anything else happens. False: it was not kept, and the next call tries again. */
  const flush = () => {
    const draft = latest.current
    clearTimeout(due.current)
    latest.current = null
    const key = id.current
    if (draft) turn.current = turn.current.then(async () => {
      const ok = await ask('capture', { fields: fieldsOf(draft) }, key) !== undefined
      if (typed.current === draft) {
        setKept(ok)
        if (!ok) latest.current = draft
      }
      return ok
    })
    return turn.current
  }
  /** settled is flush before the sheet goes, which it does not while there is no room; it never waits for long. */
  const settled = () => Promise.race([flush(), new Promise<boolean>(done => setTimeout(done, 1500, true))])
  useEffect(() => {
    const leaving = () => { if (document.visibilityState === 'hidden') void flush() }
    document.addEventListener('visibilitychange', leaving)
    return () => { document.removeEventListener('visibilitychange', leaving); void flush() }
  }, [])
  const edit = (part: Partial<Draft>) => { const next = { ...d, ...part }; set(next); save(next); if (part.event !== undefined) remember('event', part.event) }
  useEffect(() => first.current?.focus(), [])
  const some = d.name.trim() || d.phone.trim()
  const saved = () => say(t('toast.saved', { name: d.name.trim() || d.phone.trim() }))
  const next = async () => {
    if (!await settled()) return
    saved()
    id.current = crypto.randomUUID()
    typed.current = null
    set(blank(d.event)); setKept(false)
    first.current?.focus()
  }
  const done = async (sheet: HTMLDialogElement) => { if (await settled()) sheet.close() }
  return (
    <Sheet title={t('add.title')} onClose={() => { void flush().then(ok => { if (ok && some) saved() }); back() }}>
      {!some && <div class="ways two"><a class="button" href="#/card"><Icon name="qr" />{t('card.show')}</a><a class="button" href="#/card/read"><Icon name="eye" />{t('card.read')}</a></div>}
      <label class="field"><span>{t('add.name')}</span><input ref={first} value={d.name} onInput={e => edit({ name: e.currentTarget.value })} autocomplete="off" autocapitalize="words" enterkeyhint="next" /></label>
      <label class="field"><span>{t('add.phone')}</span><input type="tel" inputmode="tel" value={d.phone} onInput={e => edit({ phone: e.currentTarget.value })} autocomplete="off" enterkeyhint="done" /></label>
      <HeatPick value={d.heat} onPick={heat => edit({ heat })} />
      <label style={{ display: 'flex', alignItems: 'center', gap: '12px', minHeight: '48px' }}>
        <input type="checkbox" checked={d.consent} onChange={e => edit({ consent: e.currentTarget.checked })} style={{ width: '24px', height: '24px', accentColor: 'var(--brand)' }} />{t('add.consent')}
      </label>
      <details>
        <summary class="soft" style={{ minHeight: '44px', display: 'flex', alignItems: 'center', gap: '8px' }}><Icon name="down" />{t('add.more')}</summary>
        <div class="stack">
          <label class="field"><span>{t('add.event')}</span><input value={d.event} onInput={e => edit({ event: e.currentTarget.value })} /></label>
          <label class="field"><span>{t('add.note')}</span><textarea value={d.note} onInput={e => edit({ note: e.currentTarget.value })} /></label>
        </div>
      </details>
      <div style={{ display: 'flex', gap: '10px' }}>
        <button class="button" disabled={!some} onClick={() => void next()}>{t('add.next')}</button>
        <button class="button main" style={{ flex: 1 }} onClick={e => void done(e.currentTarget.closest('dialog')!)}>{t('add.done')}</button>
      </div>
      <p class="soft small" role="status" style={{ textAlign: 'center', minHeight: '1.4em' }}>{kept && `✓ ${t('add.kept')}`}</p>
    </Sheet>
  )
}
