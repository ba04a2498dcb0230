import { signal } from '@preact/signals'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { Row } from '../device'
import { ago, type Key, number, t } from '../i18n'
import { ask, watch } from '../state'
import { Face } from '../ui/bits'
import { Icon } from '../ui/icon'
import { go } from '../route'

export const search = signal('')
const total = signal(0) // of the whole book
const height = 68
const page = 200

/** People is the whole book; only the rows in sight are in the page. */
export function People() {
  const [rows, setRows] = useState<{ all: Row[]; total: number } | null>(null)
  const [from, setFrom] = useState(0)
  const box = useRef<HTMLDivElement>(null)
  const words = search.value
  useEffect(() => {
    let live = true
    const load = async () => {
      const got = await ask<{ rows: Row[]; total: number }>('people', { search: words, offset: 0, limit: page })
      if (live && got) { setRows({ all: got.rows, total: got.total }); if (!words) total.value = got.total }
    }
    void load()
    const off = watch(() => void load())
    return () => { live = false; off() }
  }, [words])
  useLayoutEffect(() => {
    const s = box.current?.closest('.screen')
    if (!s) return
    const look = () => setFrom(Math.max(0, Math.floor((s.scrollTop - box.current!.offsetTop) / height) - 6))
    s.addEventListener('scroll', look, { passive: true })
    return () => s.removeEventListener('scroll', look)
  }, [rows !== null])
  const missing = rows && from + 30 > rows.all.length && rows.all.length < rows.total
  useEffect(() => {
    if (!missing) return
    void ask<{ rows: Row[]; total: number }>('people', { search: words, offset: rows.all.length, limit: page }).then(got => {
      if (got) setRows(r => r && { all: [...r.all, ...got.rows], total: got.total })
    })
  }, [missing])
  if (!rows) return null
  if (rows.total === 0) return (
    <div class="nothing"><Icon name="people" /><h2>{t(words ? 'people.none' : 'people.empty')}</h2><p class="soft">{t(words ? 'people.none.hint' : 'people.empty.hint')}</p>
      {!words && <button class="button" onClick={() => go('import')}><Icon name="file" />{t('people.import')}</button>}
    </div>
  )
  return (
    <div class="people" ref={box} style={{ height: `${rows.total * height}px` }} role="list" aria-label={`${t('app.people')}: ${number(rows.total)}`}>
      {rows.all.slice(from, from + 30).map((r, i) => (
        <a class="row" role="listitem" key={r.id} href={`#/person/${r.id}`} style={{ top: `${(from + i) * height}px` }}>
          <Face name={r.name} /><span><strong>{r.name}</strong><small class="soft">{r.last && r.at ? `${t(`kind.${r.last}` as Key, { stage: t(`stage.${r.stage}`) })}, ${ago(r.at)}` : t('people.nothing')}</small></span><span class="chip">{t(`stage.${r.stage}`)}</span>
        </a>
      ))}
    </div>
  )
}

export function Search() {
  return (
    <label class="search"><Icon name="search" /><span class="hide">{t('people.search', { n: number(total.value) })}</span>
      <input type="search" value={search.value} placeholder={t('people.search', { n: number(total.value) })} autocomplete="off" onInput={e => { search.value = e.currentTarget.value }} />
    </label>
  )
}
