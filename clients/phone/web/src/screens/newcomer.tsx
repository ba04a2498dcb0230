import { useState } from 'preact/hooks'
import type { Step } from '../device'
import { number, t } from '../i18n'
import { ask, celebrate, habit, newcomer, say } from '../state'
import { recallAs, remember } from '../keep'
import { Icon } from '../ui/icon'

/** Of the samples that a playbook begins with, the addresses lead nowhere. */
const real = (url?: string) => url && /^https?:\/\//.test(url) && !url.startsWith('https://www.example.com/')

/** FirstDays is today's step of a member's first 90 days, and the goal that the playbook proposes from now on. */
export function FirstDays() {
  const n = newcomer.value
  const [done, set] = useState(() => recallAs<string[]>('steps', []))
  if (!n || n.day < 1 || n.day > n.last || done.includes('all')) return null
  const keep = (id: string) => { const all = [...done, id]; set(all); remember('steps', JSON.stringify(all.slice(-100))) }
  const steps = n.steps.filter(s => !done.includes(`${s.day} ${s.title}`))
  const rings = habit.value?.rings ?? []
  const more = n.targets.filter(g => (rings.find(r => r.metric === g.metric)?.want ?? 0) < g.daily)
  const goal = `goal ${n.targets.map(g => `${g.metric}${g.daily}`).join(' ')}`
  const proposes = more.length > 0 && n.words && !done.includes(goal)
  if (steps.length === 0 && !proposes) return null
  const finish = async (s: Step) => {
    keep(`${s.day} ${s.title}`)
    if (!s.learn) { say(t('newcomer.well')); return }
    const made = await ask<{ id: string }>('log', { entry: { kind: 'learn', evidence: 'E1', ...(s.piece && { content: s.piece }), value: { minutes: s.minutes || 10 } } })
    if (made) { say(t('newcomer.well'), () => void ask('takeBack', { id: made.id })); void celebrate() }
  }
  const commit = async () => {
    for (const g of more) await ask('commit', { dimension: g.metric, count: g.daily })
    keep(goal)
    say(t('newcomer.set'))
  }
  return (
    <section class="first-days" aria-label={t('newcomer.title')}>
      <h2 class="part">{t('newcomer.day', { n: number(n.day), last: number(n.last) })}</h2>
      {steps.map(s => (
        <article class="card lesson" key={s.title}>
          <Icon name={s.learn ? 'learn' : 'flag'} />
          <div><h2>{s.title}</h2><p class="soft">{s.words}</p>
            <p class="row">
              {real(s.url) && <a class="button small-button" href={s.url} target="_blank" rel="noreferrer">{t('newcomer.open', { n: s.minutes ?? 0 })}</a>}
              <button class="button small-button" onClick={() => void finish(s)}><Icon name="check" />{t(s.learn ? 'newcomer.learned' : 'newcomer.did')}</button>
            </p>
          </div>
        </article>
      ))}
      {proposes && (
        <article class="card lesson"><Icon name="goals" />
          <div><h2>{t('newcomer.goal')}</h2><p class="soft">{n.words}</p>
            <p class="row"><button class="button small-button" onClick={() => void commit()}>{more.map(g => `${rings.find(r => r.metric === g.metric)?.label ?? g.metric}: ${number(g.daily)}`).join(', ')}</button>
              <button class="button quiet small-button" onClick={() => keep(goal)}>{t('newcomer.no')}</button></p>
          </div>
        </article>
      )}
      <button class="button quiet" onClick={() => keep('all')}>{t('newcomer.stop')}</button>
    </section>
  )
}
