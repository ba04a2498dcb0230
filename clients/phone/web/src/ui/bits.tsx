import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { t } from '../i18n'
import { safe, sync, toast, trouble } from '../state'
import { go } from '../route'
import { Icon } from './icon'

/** Sheet comes from below, over everything; closing it is the browser's own Escape, back or a tap beside it. */
export function Sheet({ title, onClose, children }: { title: string; onClose: () => void; children: ComponentChildren }) {
  const ref = useRef<HTMLDialogElement>(null)
  const here = useRef(true)
  useEffect(() => { const d = ref.current!; if (!d.open) d.showModal(); return () => { here.current = false; d.close() } }, [])
  return (
    <dialog class="sheet" ref={ref} aria-labelledby="sheet" onClose={() => { if (here.current) onClose() }} onClick={e => { if (e.target === e.currentTarget) e.currentTarget.close() }}>
      <div class="grip" />
      <div class="stack"><h2 id="sheet">{title}</h2>{children}</div>
    </dialog>
  )
}

export function Toast() {
  const it = toast.value
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
  return (
    <Sheet title={it.message} onClose={() => { trouble.value = null }}>
      {it.hint && <p>{it.hint}</p>}
      <button class="button main wide" onClick={e => e.currentTarget.closest('dialog')!.close()}>{t('trouble.close')}</button>
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

/** Segments choose one of a few. */
export function Segments<T extends string>({ label, all, value, onPick }: { label: string; all: { value: T; label: string; count?: number }[]; value: T; onPick: (v: T) => void }) {
  return (
    <div class="segments" role="radiogroup" aria-label={label}>
      {all.map(o => (
        <button key={o.value} role="radio" aria-checked={o.value === value} onClick={() => onPick(o.value)}>{o.label}
          {o.count !== undefined && <span class="soft small">{o.count}</span>}
        </button>
      ))}
    </div>
  )
}
