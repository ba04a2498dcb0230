import { useEffect, useRef, useState } from 'preact/hooks'
import type { Card as Own, Contact, ReadCard } from '../device'
import { language, t } from '../i18n'
import { recall, remember } from '../keep'
import { ask, say, watch } from '../state'
import { go } from '../route'
import { path, read } from '../scan'
import { problem } from '../problems'
import { Segments, Sheet } from '../ui/bits'
import { Icon, Mark } from '../ui/icon'

type Side = 'show' | 'read'

/** Card is how two people exchange who they are without signal: one shows a code, the other reads it. */
export default function Card({ id }: { id: string }) {
  const [side, setSide] = useState<Side>(id === 'read' ? 'read' : 'show')
  useEffect(() => { if (id === 'read') setSide('read') }, [id])
  return (
    <div class="stack cards">
      <Segments label={t('card.which')} value={side} onPick={setSide} all={[{ value: 'show', label: t('card.show') }, { value: 'read', label: t('card.read') }]} />
      {side === 'show' ? <Show /> : <Read />}
    </div>
  )
}

function Show() {
  const [own, setOwn] = useState<Own | null>(null)
  const [editing, setEditing] = useState(false)
  useEffect(() => {
    let live = true
    const load = async () => { const c = await ask<Own>('card'); if (live && c) setOwn(c) }
    void load()
    const off = watch(() => void load())
    return () => { live = false; off() }
  }, [])
  useEffect(() => { // the screen stays on while somebody reads from it
    let lock: WakeLockSentinel | undefined
    let live = true
    void navigator.wakeLock?.request('screen').then(l => { if (live) lock = l; else void l.release() }, () => {})
    return () => { live = false; void lock?.release() }
  }, [])
  if (!own) return null
  const code = own.vcard ? path(own.vcard) : null
  return (
    <>
      {code ? (
        <figure class="qr">
          <svg viewBox={`0 0 ${code.size} ${code.size}`} shape-rendering="crispEdges" role="img" aria-label={t('card.code', { name: own.name ?? '' })}><path d={code.d} fill="#000" /></svg>
          <figcaption><Mark size={30} /><span><strong>{own.name}</strong>{own.phone && <small>{own.phone}</small>}{own.email && <small>{own.email}</small>}</span></figcaption>
        </figure>
      ) : <div class="nothing card"><Icon name="qr" /><h2>{t('card.empty')}</h2><p class="soft">{t('card.empty.hint')}</p></div>}
      {editing || !code ? <Edit own={own} onDone={() => setEditing(false)} /> : (
        <>
          <p class="soft small center">{t('card.hint')}</p>
          <button class="button wide" onClick={() => setEditing(true)}><Icon name="pen" />{t('card.edit')}</button>
        </>
      )}
    </>
  )
}

function Edit({ own, onDone }: { own: Own; onDone: () => void }) {
  const [c, set] = useState({ name: own.name ?? '', phone: own.phone ?? '', email: own.email ?? '' })
  const keep = async (e: Event) => {
    e.preventDefault()
    for (const key of ['name', 'phone', 'email'] as const) {
      const value = c[key].trim()
      if (value !== (own[key] ?? '') && !(await ask('setProfile', { key, value }))) return
    }
    onDone()
  }
  return (
    <form class="card pad stack" onSubmit={e => void keep(e)}>
      <label class="field"><span>{t('card.name')}</span><input value={c.name} autocomplete="name" required maxLength={80} onInput={e => set({ ...c, name: e.currentTarget.value })} /></label>
      <label class="field"><span>{t('add.phone')}</span><input type="tel" value={c.phone} autocomplete="tel" maxLength={40} onInput={e => set({ ...c, phone: e.currentTarget.value })} /></label>
      <label class="field"><span>{t('card.email')}</span><input type="email" value={c.email} autocomplete="email" maxLength={100} onInput={e => set({ ...c, email: e.currentTarget.value })} /></label>
      <button class="button main wide" disabled={!c.name.trim() || !(c.phone.trim() || c.email.trim())}><Icon name="check" />{t('app.save')}</button>
    </form>
  )
}

type Found = { sort: 'card'; card: ReadCard; text: string } | { sort: 'link'; title: string; own: boolean } | { sort: 'invitation' } | { sort: 'text'; text: string }

/** understand says what a code is about. Nothing that it says is opened or written by itself. */
async function understand(text: string, code: string): Promise<Found> {
  if (/^\s*(BEGIN:VCARD|MECARD:)/i.test(text)) {
    const card = await ask<ReadCard>('readCard', { text, code })
    return card ? { sort: 'card', card, text } : { sort: 'text', text }
  }
  const here = text.startsWith(`${location.origin}/`) ? text.slice(location.origin.length) : ''
  if (/^\/(app\/#\/)?join[#/]/.test(here)) return { sort: 'invitation' }
  const share = /^\/s\/([\w-]{40})$/.exec(here)
  if (share) {
    const it = await ask<{ own: boolean; title?: string }>('readLink', { text: share[1], lang: language.value })
    if (it) return { sort: 'link', title: it.title ?? '', own: it.own }
  }
  return { sort: 'text', text }
}

function Read() {
  const video = useRef<HTMLVideoElement>(null)
  const [state, setState] = useState<'asking' | 'looking' | 'denied' | 'none'>('asking')
  const [found, setFound] = useState<Found | null>(null)
  const [nothing, setNothing] = useState(false)
  const busy = useRef(false)
  const take = async (text: string) => { busy.current = true; navigator.vibrate?.(30); setNothing(false); setFound(await understand(text, recall('code'))) }
  useEffect(() => {
    let live = true
    let stream: MediaStream | undefined
    let due = 0
    const look = async () => {
      const v = video.current
      if (!live || !v) return
      if (!busy.current && v.readyState >= 2) {
        const text = await read(v)
        if (live && text && !busy.current) await take(text)
      }
      due = window.setTimeout(() => void look(), 120)
    }
    void (async () => {
      if (!navigator.mediaDevices?.getUserMedia) { setState('none'); return }
      try {
        stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment', width: { ideal: 1280 } }, audio: false })
      } catch (e) {
        if (live) setState(e instanceof DOMException && e.name === 'NotAllowedError' ? 'denied' : 'none')
        return
      }
      const v = video.current
      if (!live || !v) { for (const t of stream.getTracks()) t.stop(); return }
      v.srcObject = stream
      await v.play().catch(() => {})
      setState('looking')
      void look()
    })()
    return () => { live = false; clearTimeout(due); for (const t of stream?.getTracks() ?? []) t.stop() }
  }, [])
  const picture = async (input: HTMLInputElement) => {
    const file = input.files?.[0]
    if (!file) return
    const bitmap = await createImageBitmap(file).catch(() => null)
    input.value = ''
    const text = bitmap && await read(bitmap)
    bitmap?.close()
    if (text) await take(text)
    else setNothing(true)
  }
  const close = () => { setFound(null); busy.current = false }
  return (
    <>
      <div class={`lens ${state}`}>
        <video ref={video} playsInline muted aria-label={t('card.camera')} />
        {state === 'looking' ? <i aria-hidden="true" /> : <p><Icon name={state === 'asking' ? 'qr' : 'no'} />{t(`card.${state}`)}</p>}
      </div>
      <p class="soft small center" role="status">{nothing ? t('card.nothing') : state === 'looking' ? t('card.looking') : ''}</p>
      <label class="button wide pick-file"><Icon name="file" />{t('card.picture')}<input class="hide" type="file" accept="image/*" onChange={e => void picture(e.currentTarget)} /></label>
      {found && <What found={found} onClose={close} />}
    </>
  )
}

/** What shows what was read, before anything is done with it. */
function What({ found, onClose }: { found: Found; onClose: () => void }) {
  const key = useRef(crypto.randomUUID())
  const [code, setCode] = useState(() => recall('code'))
  const [card, setCard] = useState(found.sort === 'card' ? found.card : null)
  const [known, setKnown] = useState<Contact | null>(null)
  const fields = Object.entries(card?.fields ?? {})
  const values = (family: string) => fields.filter(([k]) => k.startsWith(family)).map(([k]) => k.slice(family.length))
  const ways = [...values('phone/'), ...values('email/')]
  useEffect(() => {
    void (async () => {
      for (const way of ways) {
        const [c] = await ask<Contact[]>('contacts', { search: way, limit: 1 }) ?? []
        if (c) { setKnown(c); return }
      }
      setKnown(null)
    })()
  }, [ways.join()])
  const again = async (value: string) => {
    setCode(value)
    remember('code', value)
    if (found.sort !== 'card' || !/^\+?\d{1,4}$/.test(value.trim())) return
    const c = await ask<ReadCard>('readCard', { text: found.text, code: value.trim() })
    if (c) setCard(c)
  }
  const add = async () => {
    const made = await ask<{ id: string }>('capture', { fields: card!.fields }, key.current)
    if (!made) return
    say(t('toast.saved', { name: card!.name }), () => void ask('edit', { id: made.id, fields: { deleted: 'yes' } }))
    onClose()
    go(`person/${made.id}`)
  }
  if (card) return (
    <Sheet title={card.name} onClose={onClose}>
      <ul class="card list">
        {values('phone/').map(v => <li key={v}><Icon name="call" /><span>{v}</span></li>)}
        {values('email/').map(v => <li key={v}><Icon name="email" /><span>{v}</span></li>)}
        {card.fields['company'] && <li><Icon name="flag" /><span>{card.fields['company']}</span></li>}
        {card.fields['note'] && <li><Icon name="pen" /><span>{card.fields['note']}</span></li>}
      </ul>
      {card.problems.length > 0 && <>
        {card.problems.map(p => <p class="soft small" key={p}>{problem(p)}</p>)}
        <label class="field"><span>{t('import.code')}</span><input type="tel" value={code} placeholder="+34" onInput={e => void again(e.currentTarget.value)} /></label>
      </>}
      {known ? (
        <>
          <p class="line"><Icon name="people" /><span>{t('card.known', { name: known.display })}</span></p>
          <button class="button main wide" onClick={() => { onClose(); go(`person/${known.id}`) }}>{t('today.open', { name: known.display })}</button>
          <button class="button quiet wide" onClick={() => void add()}>{t('card.anyway')}</button>
        </>
      ) : <button class="button main wide" onClick={() => void add()}><Icon name="plus" />{t('card.add')}</button>}
    </Sheet>
  )
  if (found.sort === 'link') return (
    <Sheet title={found.title || t('card.link.old')} onClose={onClose}>
      <p>{t(found.own ? 'card.link.own' : 'card.link')}</p>
      {found.title && <button class="button main wide" onClick={() => { onClose(); go('share') }}><Icon name="share" />{t('share.title')}</button>}
    </Sheet>
  )
  if (found.sort === 'invitation') return <Sheet title={t('card.invitation')} onClose={onClose}><p>{t('card.invitation.hint')}</p><button class="button main wide" onClick={onClose}>{t('trouble.close')}</button></Sheet>
  const text = found.sort === 'text' ? found.text : ''
  return (
    <Sheet title={t('card.text')} onClose={onClose}>
      <p class="read">{text.slice(0, 2000)}</p>
      <p class="soft small">{t('card.text.hint')}</p>
      <button class="button wide" onClick={() => void navigator.clipboard.writeText(text).then(() => say(t('share.copied')), () => say(t('share.nocopy')))}><Icon name="copy" />{t('share.copy')}</button>
    </Sheet>
  )
}
