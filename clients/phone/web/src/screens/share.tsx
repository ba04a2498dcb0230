import { useEffect, useRef, useState } from 'preact/hooks'
import type { Contact, Piece } from '../device'
import { language, t } from '../i18n'
import { ask, celebrate, member, say, watch } from '../state'
import { links } from '../links'
import { Sheet } from '../ui/bits'
import { Icon, type IconName } from '../ui/icon'

const icons: Record<Piece['kind'], IconName> = { article: 'today', testimony: 'heart', story: 'spark', video: 'eye', lesson: 'learn', webinar: 'people', page: 'flag' }

/** Share is what the company has ready to pass on: to everybody, or to one person whose page one came from. */
export default function Share({ id }: { id: string }) {
  const [all, setAll] = useState<Piece[] | null>(null)
  const [to, setTo] = useState<Contact | null>(null)
  const [open, setOpen] = useState<Piece | null>(null)
  const lang = language.value
  useEffect(() => {
    let live = true
    const load = async () => {
      const [p, c] = await Promise.all([ask<Piece[]>('pieces', { lang }), id ? ask<Contact>('contact', { id }) : undefined])
      if (live && p) { setAll(p); setTo(c ?? null) }
    }
    void load()
    const off = watch(() => void load())
    return () => { live = false; off() }
  }, [id, lang])
  if (!all) return null
  if (all.length === 0) return <div class="nothing card"><Icon name="share" /><h2>{t('share.none')}</h2><p class="soft">{t('share.none.hint')}</p></div>
  return (
    <>
      <p class="soft lead">{to ? t('share.lead.to', { name: to.display }) : t('share.lead')}</p>
      {to?.consent === 'opted-out' && <p class="line ember"><Icon name="no" /><span>{t('share.optout', { name: to.display })}</span></p>}
      <ul class="pieces">{all.map(p => (
        <li key={p.name}>
          <button class="card piece" onClick={() => setOpen(p)}>
            <span class={`sort ${p.kind}`}><Icon name={icons[p.kind]} /></span>
            <span class="body">
              <span class="small soft">{t(`piece.${p.kind}`)}{p.minutes > 0 && ` · ${t('share.minutes', { n: p.minutes })}`}</span>
              <strong>{p.title}</strong>
              {p.summary && <span class="soft small">{p.summary}</span>}
              {p.shared > 0 && <span class="chip brand"><Icon name="check" />{t('share.times', { n: p.shared })}</span>}
            </span>
          </button>
        </li>
      ))}</ul>
      {open && <Hand p={open} to={to} onClose={() => setOpen(null)} />}
    </>
  )
}

/** Hand passes a piece on with the member's own link. The link is made here, without the server; that it was handed over is noted as it is. */
function Hand({ p, to, onClose }: { p: Piece; to: Contact | null; onClose: () => void }) {
  const key = useRef(crypto.randomUUID()) // of this share: the link has it, and so has the entry of the log
  const [words, setWords] = useState(() => t(to ? 'share.words.to' : 'share.words', { name: to ? (to.name ?? to.display).split(/\s+/)[0]! : '', title: p.title, summary: p.summary ?? '', me: member.value?.name ?? '' }).trim())
  const [link, setLink] = useState('')
  const mint = async () => {
    const made = await ask<{ code: string }>('link', { piece: p.name }, key.current)
    if (made) setLink(`${location.origin}/s/${made.code}`)
  }
  useEffect(() => { void mint() }, [])
  const whole = `${words.trim()}\n${link}`
  const phone = to?.phones[0]?.[0]
  const email = to?.emails[0]?.[0]
  const shared = async () => {
    const made = await ask<{ id: string }>('share', { piece: p.name, ...(to && { contact: to.id }) }, key.current)
    onClose()
    if (!made) return
    say(t('share.done', { title: p.title }), () => void ask('takeBack', { id: made.id }))
    void celebrate()
  }
  const sheet = async () => {
    try {
      await navigator.share({ title: p.title, text: words.trim(), url: link })
    } catch (e) {
      if (e instanceof DOMException && e.name === 'AbortError') return // nothing was shared
      await copy()
      return
    }
    await shared()
  }
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(whole)
    } catch {
      say(t('share.nocopy'))
      return
    }
    await shared()
  }
  const body = encodeURIComponent(whole)
  const direct = [
    ...links('text', phone, undefined, whole), ...links('email', undefined, email, whole),
    ...(phone ? [] : [{ way: 'whatsapp' as const, href: `https://wa.me/?text=${body}` }, { way: 'sms' as const, href: `sms:?&body=${body}` }]),
  ]
  const names = { sms: 'share.sms', whatsapp: 'share.whatsapp', email: 'share.email', call: 'share.sms' } as const
  const can = typeof navigator.share === 'function'
  return (
    <Sheet title={p.title} onClose={onClose}>
      <label class="field"><span>{t('share.say')}</span><textarea rows={4} value={words} onInput={e => setWords(e.currentTarget.value)} /></label>
      <p class="link"><Icon name="share" /><span class="hide">{t('share.link')}</span><span>{link.replace(/^https?:\/\//, '')}</span></p>
      {can && !to && <button class="button main wide" disabled={!link} onClick={() => void sheet()}><Icon name="share" />{t('share.go')}</button>}
      {!can && !to && <button class="button main wide" disabled={!link} onClick={() => void copy()}><Icon name="copy" />{t('share.copy')}</button>}
      <div class="ways">
        {direct.map((w, i) => <a class={`button ${to && i === 0 ? 'main' : ''}`} key={w.way} href={link ? w.href : undefined} target={w.way === 'whatsapp' ? '_blank' : undefined} rel="noopener noreferrer" onClick={() => void shared()}><Icon name={w.way === 'email' ? 'email' : 'text'} />{t(names[w.way])}</a>)}
        {(can || to) && <button class="button" disabled={!link} onClick={() => void copy()}><Icon name="copy" />{t('share.copy')}</button>}
        {can && to && <button class="button" disabled={!link} onClick={() => void sheet()}><Icon name="share" />{t('share.other')}</button>}
      </div>
      <p class="soft small">{t('share.private')}</p>
    </Sheet>
  )
}
