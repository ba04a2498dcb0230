import { signal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { t } from '../i18n'
import { safe, sync, toast, trouble } from '../state'
import { go } from '../route'
import { inSheet, sheets, update } from '../update'
import { Icon } from './icon'

const desk = matchMedia('(min-width: 900px)')
/** wide says that there is a desk's room. */
export const wide = signal(desk.matches)
desk.addEventListener('change', () => { wide.value = desk.matches })

/** Sheet comes from below, over everything; closing it is the browser's own Escape, back or a tap beside it. What is in it may have
 * become lower under the first tap of two. */
export function Sheet({ title, onClose, children }: { title: string; onClose: () => void; children: ComponentChildren }) {
  const ref = useRef<HTMLDialogElement>(null)
  const here = useRef(true)
  useEffect(() => {
    const d = ref.current!
    const from = document.activeElement
    if (!d.open) d.showModal()
    return () => { here.current = false; d.close(); if (from instanceof HTMLElement && from.isConnected) from.focus({ preventScroll: true }) }
  }, [])
  const at = useRef(-1)
  useEffect(() => { const out = inSheet(); at.current = sheets.value; return out }, [])
  return (
    <dialog class="sheet" ref={ref} aria-labelledby="sheet" onClose={() => { if (here.current) onClose() }} onClick={e => { if (e.target === e.currentTarget && e.detail < 2) e.currentTarget.close() }}>
      <div class="grip" />
      <div class="stack"><h2 id="sheet">{title}</h2>{children}</div>
      <Toast at={at} />
    </dialog>
  )
}

/** Toast is what was said last. A sheet lies over the screen's, so that it has one of its own; at is which sheet it is. */
export function Toast({ at }: { at?: { current: number } }) {
  const it = sheets.value === (at?.current ?? 0) ? toast.value : null
  return (
    <div role="status" aria-live="polite">
      {it && (
        <div class="toast"><span>{it.text}</span>
          {it.undo && <button onClick={() => { it.undo?.(); toast.value = null }}>{t('app.undo')}</button>}
        </div>
      )}
    </div>
  )
}

/** Trouble is an error that a person can act on: what is wrong, and what to do. */
export function Trouble() {
  const it = trouble.value
  if (!it) return null
  const renew = it.code === 'newer' || it.code === 'start'
  return (
    <Sheet title={it.message} onClose={() => { trouble.value = null }}>
      {it.hint && <p>{it.hint}</p>}
      {renew
        ? <button class="button main wide" onClick={() => void update()}><Icon name="again" />{t(it.code === 'newer' ? 'update.now' : 'update.reload')}</button>
        : <button class="button main wide" onClick={e => e.currentTarget.closest('dialog')!.close()}>{t('trouble.close')}</button>}
    </Sheet>
  )
}

const dayMs = 86_400_000
/** Glyph is the truth about sync: all safe, N only here, or late. */
export function Glyph() {
  const s = sync.value
  if (!s) return null
  const late = s.unsent > 0 && safe.value > 0 ? Math.floor((Date.now() - safe.value) / dayMs) : 0
  const [kind, icon, short, long] =
    s.unsent === 0 ? (['safe', 'cloud', '', t('sync.safe.long')] as const)
    : late >= 3 ? (['late', 'phone', t('sync.late', { d: late }), `${t('sync.waits.long', { n: s.unsent })}. ${t('sync.late.long', { d: late })}`] as const)
    : (['waits', 'phone', t('sync.waits', { n: s.unsent }), t('sync.waits.long', { n: s.unsent })] as const)
  return (
    <button class={`glyph ${kind}`} data-sync={s.state} onClick={() => go('sync')} aria-label={long} title={long}>
      {kind === 'safe' ? <Icon name={icon} /> : <b><Icon name={icon} />{short}</b>}
    </button>
  )
}

export function Face({ name }: { name: string }) {
  const letters = name.split(/\s+/).filter(w => /^\p{L}/u.test(w)).slice(0, 2).map(w => w[0]).join('').toUpperCase()
  return <span class="face" aria-hidden="true">{letters || <Icon name="in_person" />}</span>
}

/** Segments choose one of a few; with a keyboard, by the arrows. */
export function Segments<T extends string>({ label, all, value, onPick }: { label: string; all: { value: T; label: string; count?: number }[]; value: T; onPick: (v: T) => void }) {
  const at = Math.max(0, all.findIndex(o => o.value === value))
  const move = (e: KeyboardEvent & { currentTarget: HTMLElement }) => {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[e.key]
    if (!by) return
    e.preventDefault()
    const next = (at + by + all.length) % all.length
    onPick(all[next]!.value)
    ;(e.currentTarget.children[next] as HTMLElement).focus()
  }
  return (
    <div class="segments" role="radiogroup" aria-label={label} onKeyDown={move}>
      {all.map((o, i) => (
        <button type="button" key={o.value} role="radio" aria-checked={o.value === value} tabIndex={i === at ? 0 : -1} onClick={() => onPick(o.value)}>{o.label}
          {o.count !== undefined && <span class="soft small">{o.count}</span>}
        </button>
      ))}
    </div>
  )
}

/** Note is one calm line that leads somewhere, and goes when it is not wanted. */
export function Note({ icon, children, onClose, act, label }: { icon: Parameters<typeof Icon>[0]['name']; children: ComponentChildren; onClose?: () => void; act?: () => void; label?: string }) {
  return (
    <section class="note"><Icon name={icon} /><div>{children}</div>
      {act && label && <button class="button small-button" onClick={act}>{label}</button>}
      {onClose && <button class="round" aria-label={t('app.close')} onClick={onClose}><Icon name="close" /></button>}
    </section>
  )
}
