import { signal } from '@preact/signals'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { Row } from '../device'
import { ago, type Key, number, t } from '../i18n'
import { onClear } from '../keep'
import { ask, watch } from '../state'
import { Face } from '../ui/bits'
import { Icon } from '../ui/icon'
import { go } from '../route'

export const search = signal('')
onClear(() => { search.value = '' })
const total = signal<number | null>(null) // of the whole book; null: not known yet
onClear(() => { total.value = null })
const height = 4.25 // rem of a row
const pixels = () => height * parseFloat(getComputedStyle(document.documentElement).fontSize)
const page = 200
const inSight = 30 // rows, and some above and below

/** Book is what is here of a search's answer: pages of rows by their number. */
interface Book { words: string; total: number; pages: Map<number, Row[]> }

/** People is the whole book; only the rows in sight are in the page, and only their pages are asked for. */
export function People() {
  const [book, setBook] = useState<Book | null>(null)
  const [from, setFrom] = useState(0)
  const box = useRef<HTMLDivElement>(null)
  const words = search.value
  const pages = [...new Set([Math.floor(from / page), Math.floor((from + inSight) / page)])]
  const wanted = useRef({ words, pages })
  wanted.current = { words, pages }
  const load = async (which: number[], anew: boolean) => {
    const got = await Promise.all(which.map(n => ask<{ rows: Row[]; total: number }>('people', { search: words, offset: n * page, limit: page })))
    if (wanted.current.words !== words) return
    setBook(old => {
      const kept = !anew && old?.words === words ? old.pages : []
      const next: Book = { words, total: old?.total ?? 0, pages: new Map(kept) }
      got.forEach((g, i) => { if (g) { next.pages.set(which[i]!, g.rows); next.total = g.total } })
      if (!words) total.value = next.total
      return next
    })
  }
  useEffect(() => {
    void load(wanted.current.pages, true)
    return watch(() => void load(wanted.current.pages, true))
  }, [words])
  const missing = book?.words === words ? pages.filter(n => n * page < book.total && !book.pages.has(n)) : []
  useEffect(() => { if (missing.length > 0) void load(missing, false) }, [missing.join()])
  useLayoutEffect(() => {
    const s = box.current?.closest('.screen')
    if (!s) return
    const look = () => setFrom(Math.max(0, Math.floor((s.scrollTop - box.current!.offsetTop) / pixels()) - 6))
    s.addEventListener('scroll', look, { passive: true })
    return () => s.removeEventListener('scroll', look)
  }, [book !== null && book.total > 0])
  if (!book) return null
  if (book.total === 0) return (
    <div class="nothing"><Icon name="people" /><h2>{t(words ? 'people.none' : 'people.empty')}</h2><p class="soft">{t(words ? 'people.none.hint' : 'people.empty.hint')}</p>
      <button class={`button ${words ? '' : 'main'}`} onClick={() => go('add')}><Icon name="plus" />{t('app.add')}</button>
      {!words && <button class="button" onClick={() => go('import')}><Icon name="file" />{t('people.import')}</button>}
    </div>
  )
  const rows = Array.from({ length: inSight }, (_, i) => from + i).flatMap(at => {
    const row = book.pages.get(Math.floor(at / page))?.[at % page]
    return row ? [{ at, row }] : []
  })
  return (
    <div class="people" ref={box} style={{ height: `${book.total * height}rem` }} role="list" aria-label={`${t('app.people')}: ${number(book.total)}`}>
      {rows.map(({ at, row: r }) => (
        <div class="slot" role="listitem" key={r.id} style={{ top: `${at * height}rem` }}><a class="row" href={`#/person/${r.id}`}>
          <Face name={r.name} /><span><strong>{r.name}</strong><small class="soft">{r.last && r.at ? `${t(`kind.${r.last}` as Key, { stage: t(`stage.${r.stage}`) })}, ${ago(r.at)}` : t('people.nothing')}</small></span>{r.stage !== 'prospect' && <span class="chip">{t(`stage.${r.stage}`)}</span>}
        </a></div>
      ))}
    </div>
  )
}

/** Search is there unless there is nobody to be found. */
export function Search() {
  const n = total.value
  if (n === 0 && !search.value) return null
  const label = n === null ? '' : t('people.search', { n })
  return (
    <label class="search"><Icon name="search" /><span class="hide">{label || t('app.people')}</span>
      <input type="search" value={search.value} placeholder={label} autocomplete="off" onInput={e => { search.value = e.currentTarget.value }}
        onKeyDown={e => { if (e.key === 'Enter') document.querySelector<HTMLAnchorElement>('.people .row')?.click() }} />
      {!search.value && <kbd aria-hidden="true" data-key="/" />}
    </label>
  )
}
