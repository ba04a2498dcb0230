import { useEffect, useState } from 'preact/hooks'
import type { Habit } from '../device'
import { day, number, t } from '../i18n'
import { ask, habit } from '../state'
import { Sheet } from '../ui/bits'
import { Icon } from '../ui/icon'
import { Together } from './together'

const colours = ['var(--brand)', 'var(--ember)', 'light-dark(#5b4bb7, #b6a8ff)', 'light-dark(#0d6c93, #7fd0f2)', 'light-dark(#8a6a00, #e6c65a)', 'var(--soft)']

/** Goals is the day, the week and what was reached. Nothing here speaks of what was not. */
export function Goals() {
  const h = habit.value
  const [setting, set] = useState(false)
  if (!h) return null
  const wanted = h.rings.filter(r => r.want > 0)
  return (
    <>
      <section class="card">
        <Rings h={h} />
        <ul class="list">{(wanted.length ? wanted : h.rings).map(r => (
          <li class="goal" key={r.metric}>
            <i style={{ background: colours[h.rings.indexOf(r) % colours.length] }} />
            <span class="cap">{r.metric === 'share' ? <a href="#/share">{r.label}</a> : r.label}</span>
            <span class="num">{number(r.done)}{r.want > 0 && <span class="soft small"> {t('goals.of', { n: number(r.want) })}</span>}</span>
          </li>
        ))}</ul>
        <div style={{ padding: '0 12px 12px' }}><button class="button quiet wide" onClick={() => set(true)}><Icon name="pen" />{t('goals.set')}</button></div>
      </section>
      {h.line && <p class="line"><Icon name="spark" /><span>{h.line}</span></p>}
      <section>
        <h2 class="part">{t('goals.week')}</h2>
        <div class="card">
          <ol class="week">{h.week.map(d => (
            <li key={d.date} class="small"><span aria-hidden="true" class="soft">{day(d.date, { weekday: 'narrow' })}</span>
              <div class={`dot ${d.state} ${d.date === h.date ? 'today' : ''}`}>{d.state === 'met' && <Icon name="check" />}</div>
              <span class="hide">{day(d.date, { weekday: 'long' })}: {t(`day.${d.state}`)}</span>
            </li>
          ))}</ol>
          <p class="soft small" style={{ textAlign: 'center', paddingBottom: '16px' }}>{t('goals.skips', { n: h.skipsLeft })}</p>
        </div>
      </section>
      <div class="figures">
        <div class="card"><span class="num">{number(h.streak)}</span><span class="soft small">{t('goals.streak', { n: h.streak })}</span></div>
        <div class="card"><span class="num">{number(h.average / 10)}</span><span class="soft small">{t('goals.average')}</span></div>
        <div class="card"><span class="num">{number(h.points)}</span><span class="soft small">{t('goals.points')}</span></div>
      </div>
      <section>
        <h2 class="part">{t('goals.badges')}</h2>
        <ul class="badges" tabIndex={0} aria-label={t('goals.badges')}>{h.badges.map(b => (
          <li class="card badge" key={b.name}><BadgeMark level={b.level} of={b.of} part={b.want ? (b.done ?? 0) / b.want : 1} />
            <div class="small">{b.label}</div><div class="small soft">{b.level < b.of ? t('goals.next', { done: number(b.done ?? 0), want: number(b.want ?? 0) }) : '★'}</div>
          </li>
        ))}</ul>
      </section>
      <section><ul class="card list"><Together /></ul></section>
      {setting && <Setting h={h} onClose={() => set(false)} />}
    </>
  )
}

function Rings({ h }: { h: Habit }) {
  const rings = h.rings.filter(r => r.want > 0).slice(0, 4)
  const left = rings.filter(r => r.done < r.want).length
  const fresh = h.state === 'met'
  return (
    <div class="rings">
      <div class="dial"><svg viewBox="0 0 200 200" aria-hidden="true">
        {(rings.length ? rings : [null]).map((r, i) => {
          const radius = 90 - i * 17
          const length = 2 * Math.PI * radius
          const share = r ? Math.min(1, r.done / r.want) : 0
          const colour = colours[r ? h.rings.indexOf(r) % colours.length : 0]
          return (
            <g key={i}><circle cx="100" cy="100" r={radius} stroke={colour} opacity=".16" />
              {share > 0 && <circle cx="100" cy="100" r={radius} stroke={colour} stroke-dasharray={length} stroke-dashoffset={length * (1 - share)} />}
            </g>
          )
        })}
      </svg>
        {rings.length > 0 && <p class="mid" aria-hidden="true"><span class="num">{number(rings.length - left)}<span class="soft">/{number(rings.length)}</span></span></p>}
      </div>
      <p class="hide">{rings.map(r => `${r.label}: ${r.done} ${t('goals.of', { n: r.want })}`).join('. ')}</p>
      {fresh && <div class="bloom" aria-hidden="true">{Array.from({ length: 14 }, (_, i) => <i key={i} style={{ '--turn': `${i * 25.7}deg`, background: colours[i % 4] }} />)}</div>}
      <p class="step cap" style={{ marginTop: '14px', fontWeight: 600 }}>{h.state === 'met' ? t('goals.met') : h.state === 'rest' ? t('goals.rest') : rings.length ? t('goals.left', { n: left }) : t('goals.free')}</p>
    </div>
  )
}

function BadgeMark({ level, of, part }: { level: number; of: number; part: number }) {
  const points = Array.from({ length: 6 }, (_, i) => { const a = (Math.PI / 3) * i - Math.PI / 2; return `${27 + 24 * Math.cos(a)},${27 + 24 * Math.sin(a)}` }).join(' ')
  const length = 144
  return (
    <svg viewBox="0 0 54 54" aria-hidden="true">
      <polygon points={points} fill={level ? 'var(--wash)' : 'none'} stroke="var(--line)" stroke-width="4" stroke-linejoin="round" />
      <polygon points={points} fill="none" stroke="var(--brand)" stroke-width="4" stroke-linejoin="round" stroke-dasharray={length} stroke-dashoffset={length * (1 - (level >= of ? 1 : part))} />
      <text x="27" y="33" text-anchor="middle" font-size="18" font-weight="700" fill="currentColor" font-family="var(--rounded)">{level || ''}</text>
    </svg>
  )
}

function Setting({ h, onClose }: { h: Habit; onClose: () => void }) {
  const [want, set] = useState(() => Object.fromEntries(h.rings.map(r => [r.metric, r.want])))
  useEffect(() => {
    const id = setTimeout(() => { for (const r of h.rings) if (want[r.metric] !== r.want) void ask('commit', { dimension: r.metric, count: want[r.metric] }) }, 400)
    return () => clearTimeout(id)
  }, [want])
  const step = (metric: string) => (metric === 'learn' ? 5 : 1)
  return (
    <Sheet title={t('goals.setting')} onClose={onClose}>
      <ul class="counts">{h.rings.map(r => (
        <li key={r.metric}>
          <span class="cap">{r.label}</span>
          <span class="by"><button class="button square" aria-label={`${r.label} −`} onClick={() => set({ ...want, [r.metric]: Math.max(0, (want[r.metric] ?? 0) - step(r.metric)) })}>−</button>
          <output class="num count">{number(want[r.metric] ?? 0)}</output>
          <button class="button square" aria-label={`${r.label} +`} onClick={() => set({ ...want, [r.metric]: (want[r.metric] ?? 0) + step(r.metric) })}>+</button></span>
        </li>
      ))}</ul>
      <button class="button main wide" onClick={onClose}>{t('app.done')}</button>
    </Sheet>
  )
}
