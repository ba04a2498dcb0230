import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { Suggestion } from '../device'
import { t } from '../i18n'
import { say } from '../state'
import { changed, wordsOf, write } from '../words'
import { Icon } from './icon'

/** Say is the wording of a step: to be read, copied, or changed before it is sent. */
export function Say({ s }: { s: Suggestion }) {
  const [writing, set] = useState(false)
  const field = useRef<HTMLTextAreaElement>(null)
  const text = wordsOf(s)
  useLayoutEffect(() => { // before anybody can type: what comes between would stand behind the old words
    const f = field.current
    if (writing && f) { f.focus(); f.setSelectionRange(f.value.length, f.value.length) }
  }, [writing])
  if (!s.wording) return null
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text)
      say(t('words.copied'))
    } catch { // a page without TLS has no clipboard: it is marked, to be copied by hand
      set(true)
      setTimeout(() => field.current?.select())
    }
  }
  return (
    <div class="words">
      {writing
        ? <textarea ref={field} class="say" aria-label={t('today.words')} value={text} onInput={e => write(s, e.currentTarget.value)} onBlur={() => { if (!text.trim()) write(s, s.wording); set(false) }}
            onKeyDown={e => { if (e.key === 'Escape') { e.stopPropagation(); e.currentTarget.blur() } }} />
        : <blockquote class="say" aria-label={t('today.words')} onClick={() => set(true)}>{text}</blockquote>}
      <p class="edit">
        <button aria-label={t(writing ? 'words.done' : 'words.edit')} title={t(writing ? 'words.done' : 'words.edit')} onPointerDown={e => e.preventDefault()} onClick={() => { if (writing) field.current?.blur(); else set(true) }}><Icon name={writing ? 'check' : 'pen'} /></button>
        <button aria-label={t('words.copy')} title={t('words.copy')} onClick={() => void copy()}><Icon name="copy" /></button>
      </p>
      {changed(s) && <button class="button quiet back" onPointerDown={e => e.preventDefault()} onClick={() => { write(s, s.wording); set(false) }}><Icon name="again" />{t('words.back')}</button>}
    </div>
  )
}
