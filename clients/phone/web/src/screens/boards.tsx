import { signal } from '@preact/signals'
import { useState } from 'preact/hooks'
import type { Boards, Place, Recognised, Scope } from '../device'
import { ago, day, number, said, t } from '../i18n'
import { recallAs, remember } from '../keep'
import { say } from '../state'
import { useKept } from './together'
import { Face, Segments } from '../ui/bits'
import { Icon } from '../ui/icon'
import { Hexagon } from '../ui/hexagon'

/** What this screen was last set to; it stays while the app is open. */
const span = signal<'week' | 'month'>('week')
const scope = signal<Scope>('company')
const metric = signal('') // by name; "": the first one on which somebody stands

/** BoardsScreen is who did most of what in a week or a month, one's own place always in sight, and who was recognised. */
export default function BoardsScreen() {
  const kept = useKept<Boards>('boards')
  const [before, setBefore] = useState(false)
  if (!kept) return null
  const b = kept.body
  if (!b || b.off) return <Empty title={t(b?.off ? 'boards.none' : 'boards.empty')} hint={b?.off ? '' : t('boards.empty.hint')} />
  const scopes = (['company', 'team', 'downline'] as const).filter(s => b.boards.some(x => x.scope === s))
  const among = scopes.includes(scope.value) ? scope.value : 'company'
  const period = b.periods.findIndex((p, i) => p.kind === span.value && (before ? i > 0 && b.periods[i - 1]!.kind === p.kind : true))
  const picked = b.metrics.findIndex(m => m.name === metric.value)
  const lively = b.boards.find(x => x.scope === among && x.period === period && x.rows.length > 0)
  const at = picked >= 0 ? picked : lively?.metric ?? 0
  const board = b.boards.find(x => x.scope === among && x.period === period && x.metric === at)
  const when = b.periods[period]
  return (
    <div class="standings">
      <div class="picks">
        <Segments label={t('boards.span')} value={span.value} onPick={v => { span.value = v }} all={[{ value: 'week', label: t('boards.week') }, { value: 'month', label: t('boards.month') }]} />
        {scopes.length > 1 && <Segments label={t('boards.scope')} value={among} onPick={v => { scope.value = v }} all={scopes.map(value => ({ value, label: t(`boards.${value}`) }))} />}
      </div>
      <div class="lists">
        <section>
          <div class="chips" role="radiogroup" aria-label={t('boards.what')}>{b.metrics.map((m, i) => (
            <button key={m.name} role="radio" aria-checked={i === at} onClick={() => { metric.value = m.name }}>{capital(said(m.label))}</button>
          ))}</div>
          {when && <div class="span">
            <button class="round" disabled={before} aria-label={t('boards.earlier')} onClick={() => setBefore(true)}><Icon name="back" /></button>
            <p aria-live="polite"><strong>{t(`boards.period.${span.value}${before ? '.before' : ''}`)}</strong><span class="soft small">{dates(when.from, when.to)}</span></p>
            <button class="round turned" disabled={!before} aria-label={t('boards.later')} onClick={() => setBefore(false)}><Icon name="back" /></button>
          </div>}
          {board && <Ranking key={`${among} ${period} ${at}`} b={b} rows={board.rows} unit={b.metrics[at]!.unit} />}
          {board?.me && <Mine b={b} me={board.me} of={board.of} unit={b.metrics[at]!.unit} />}
          <p class="soft small aside">{capital(said(b.metrics[at]?.capture))}.</p>
        </section>
        <section>
          <Recognition b={b} />
          {b.hidden && <p class="line"><Icon name="lock" /><span>{t('boards.hidden')}</span></p>}
          <AsOf at={kept.at} />
        </section>
      </div>
    </div>
  )
}

function Ranking({ b, rows, unit }: { b: Boards; rows: Place[]; unit: string }) {
  if (rows.length === 0) return <div class="card nothing"><Icon name="podium" /><p>{t('boards.alone')}</p></div>
  const most = Math.max(1, ...rows.map(r => r[2]))
  return (
    <ol class="card ranks swap">{rows.map(([rank, who, done, captured]) => (
      <li key={who} class={`${who === b.me ? 'me' : ''} ${rank <= 3 ? `first r${rank}` : ''}`} aria-current={who === b.me ? 'true' : undefined}>
        <span class="rank num">{number(rank)}</span>
        <span class="who"><strong>{who === b.me ? t('boards.you') : b.people[who]}</strong>
          <span class="bar" aria-hidden="true"><i style={{ width: `${(captured / most) * 100}%` }} /><i class="told" style={{ width: `${((done - captured) / most) * 100}%` }} /></span>
        </span>
        <Score done={done} captured={captured} unit={unit} />
      </li>
    ))}</ol>
  )
}

/** Mine is one's own place: it stays in sight however long the list is. */
function Mine({ b, me, of, unit }: { b: Boards; me: Place; of: number; unit: string }) {
  const [rank, , done, captured] = me
  return (
    <div class="mine" role="status">
      <Face name={b.people[b.me] ?? ''} />
      <span class="who"><strong>{t('boards.you')}</strong><small>{rank > 0 ? t('boards.of', { n: number(of) }) : b.hidden ? t('boards.hidden') : t('boards.start')}</small></span>
      <Score done={done} captured={captured} unit={unit} />
      {rank > 0 && <span class="rank num">{number(rank)}</span>}
    </div>
  )
}

/** Score is how much was captured as it happened, and how much more is the member's word; where nothing was captured, what is told, as such. */
function Score({ done, captured, unit }: { done: number; captured: number; unit: string }) {
  const told = captured > 0 ? t('boards.told', { n: amount(done - captured, unit) }) : t('boards.told.all')
  return (
    <span class="score">
      <b class={`num ${captured > 0 || done === 0 ? '' : 'word'}`}>{amount(captured || done, unit)}</b>
      {done > captured && <small title={told}><span aria-hidden="true">{captured > 0 ? t('boards.told.short', { n: number(done - captured) }) : told}</span><span class="hide">{` ${told}`}</span></small>}
    </span>
  )
}

function Recognition({ b }: { b: Boards }) {
  const people = new Map<number, Recognised[]>()
  for (const r of b.recognised) people.set(r.person, [...people.get(r.person) ?? [], r])
  if (people.size === 0) return null
  return (
    <>
      <h2 class="part">{t('boards.recognised')}</h2>
      <ul class="card list cheers">{[...people].map(([who, all]) => {
        const name = b.people[who] ?? ''
        const best = all.find(r => r.measure === 'streak') ?? all[0]!
        const first = name.split(' ')[0] ?? name
        const told = all.slice(0, 2).map(awarded).join(', ') + (all.length > 2 ? ` +${number(all.length - 2)}` : '')
        return (
          <li key={who}>
            <Hexagon level={best.level} icon={best.measure === 'streak' ? 'flame' : undefined} />
            <span><strong>{who === b.me ? t('boards.you') : name}</strong><small class="soft">{told}</small></span>
            {who !== b.me && <Cheer name={first} mark={`${name} ${best.badge} ${best.level}`} words={t('boards.cheer.words', { name: first, badge: awarded(best) })} />}
          </li>
        )
      })}</ul>
    </>
  )
}

/** awarded is a badge in words, or the streak that it is for. */
export const awarded = (r: Omit<Recognised, 'person'>) => (r.measure === 'streak' ? t('boards.in_a_row', { n: number(r.count) })
  : r.level > 1 ? t('boards.level', { label: said(r.label), level: r.level }) : said(r.label))

/** Cheer opens a message with the words in it, in whatever program the person picks. What was cheered on this phone is marked. */
export function Cheer({ name, mark, words, wide = false }: { name: string; mark: string; words: string; wide?: boolean }) {
  const [done, set] = useState(() => cheered().includes(mark))
  const send = async () => {
    try {
      if (navigator.share) await navigator.share({ text: words })
      else { await navigator.clipboard.writeText(words); say(t('boards.copied')) }
    } catch {
      return // the person thought better of it
    }
    remember('cheered', JSON.stringify([mark, ...cheered().filter(m => m !== mark)].slice(0, 200)))
    set(true)
  }
  return (
    <button class={`button cheer ${done ? 'quiet' : ''} ${wide ? 'wide' : ''}`} aria-label={done ? `${t('boards.cheered')}: ${name}` : t('boards.cheer.of', { name })} onClick={() => void send()}>
      <Icon name={done ? 'check' : 'heart'} />{t(done ? 'boards.cheered' : 'boards.cheer')}
    </button>
  )
}

const cheered = () => recallAs<string[]>('cheered', [])

/** AsOf says how old an answer of the server's is. */
export function AsOf({ at }: { at: number | undefined }) {
  return at ? <p class="soft small aside asof"><Icon name="clock" />{t('boards.asof', { when: ago(at) })}</p> : null
}

export function Empty({ title, hint }: { title: string; hint: string }) {
  return <div class="nothing"><Icon name="podium" /><h2>{title}</h2>{hint && <p class="soft">{hint}</p>}</div>
}

const capital = (s: string) => s.charAt(0).toLocaleUpperCase() + s.slice(1)
const amount = (n: number, unit: string) => (unit === 'minute' ? t('boards.minutes', { n: number(n) }) : number(n))
const dates = (from: string, to: string) => `${day(from, { day: 'numeric', month: 'short' })} – ${day(to, { day: 'numeric', month: 'short' })}`
