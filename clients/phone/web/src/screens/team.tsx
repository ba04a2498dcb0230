import type { Team, Teammate } from '../device'
import { day, number, said, t } from '../i18n'
import { Face } from '../ui/bits'
import { Icon } from '../ui/icon'
import { AsOf, awarded, Cheer, Empty } from './boards'
import { useKept } from './together'

/** TeamScreen is what a sponsor sees of those whom he or she sponsors: what they took on, what became of it, whom to cheer. */
export default function TeamScreen() {
  const kept = useKept<Team>('team')
  if (!kept) return null
  const team = kept.body
  if (!team || team.off || team.people.length === 0) {
    return <Empty title={t(team?.off ? 'team.none' : team ? 'team.empty' : 'team.wait')} hint={team?.off ? '' : t(team ? 'team.empty.hint' : 'boards.empty.hint')} />
  }
  const first = team.people.filter(p => p.cheer)
  const rest = team.people.filter(p => !p.cheer)
  return (
    <>
      <p class="soft aside">{t('team.people', { n: team.people.length })}</p>
      {first.length > 0 && <section><h2 class="part">{t('team.who')}</h2><ul class="mates">{first.map((p, i) => <Mate key={`${p.name} ${i}`} p={p} />)}</ul></section>}
      {rest.length > 0 && <section>{first.length > 0 && <h2 class="part">{t('team.others')}</h2>}<ul class="mates">{rest.map((p, i) => <Mate key={`${p.name} ${i}`} p={p} />)}</ul></section>}
      {team.more && <p class="soft small aside">{t('team.more')}</p>}
      <AsOf at={kept.at} />
    </>
  )
}

function Mate({ p }: { p: Teammate }) {
  const name = p.name.split(' ')[0] ?? p.name
  const best = p.badges?.[p.badges.length - 1]
  const badge = best && awarded(best)
  const words = p.cheer === 'badge' && badge ? t('boards.cheer.words', { name, badge })
    : p.cheer === 'line' ? `${name}: ${said(p.say)}` : t('team.cheer.words.today', { name })
  return (
    <li class="card mate">
      <div class="who"><Face name={p.name} /><div><h2>{p.name}</h2>
        <p class="soft small">{p.private ? <><Icon name="lock" />{t('team.private')}</> : p.waiting ? t('team.waiting')
          : [p.averageOf && p.average ? t('team.average', { n: number((p.average ?? 0) / 10) }) : '', p.streak ? t('team.streak', { n: p.streak }) : ''].filter(Boolean).join(' · ')}</p></div></div>
      {p.weeks && <Weeks weeks={p.weeks} />}
      {p.goals && <ul class="took">{p.goals.map(g => (
        <li key={g.metric}><span class="cap">{said(g.label)}</span><span class="bar" aria-hidden="true"><i style={{ width: `${Math.min(100, g.want ? (g.captured / g.want) * 100 : 0)}%` }} /><i class="told" style={{ width: `${Math.min(100, g.want ? ((g.done - g.captured) / g.want) * 100 : 0)}%` }} /></span>
          <span class="small num">{t('team.goal', { done: number(g.done), want: number(g.want) })}</span></li>
      ))}</ul>}
      {p.line && <p class="line"><Icon name="spark" /><span>{said(p.line)}</span></p>}
      {(badge || p.today) && <p class="why"><Icon name={badge ? 'heart' : 'check'} />{badge ?? t('team.cheer.today')}</p>}
      {p.cheer && <Cheer wide name={name} mark={`${p.name} ${p.cheer} ${best ? `${best.badge} ${best.level}` : p.weeks?.at(-1)?.monday}`} words={words} />}
    </li>
  )
}

/** Weeks are the goal days of the last weeks, as bars and in words. */
function Weeks({ weeks }: { weeks: NonNullable<Teammate['weeks']> }) {
  return (
    <figure class="six" aria-label={t('team.weeks')}>
      <ol>{weeks.map((w, i) => (
        <li key={w.monday} class={i === weeks.length - 1 ? 'now' : ''}>
          <b class="num" aria-hidden="true">{number(w.met)}</b>
          <span class="col" aria-hidden="true"><i style={{ height: `${(w.met / 7) * 100}%` }} /></span>
          <small class="soft" aria-hidden="true">{day(w.monday, { day: 'numeric', month: 'numeric' })}</small>
          <span class="hide">{t('team.week', { met: w.met, asked: w.asked, date: day(w.monday, { day: 'numeric', month: 'long' }) })}</span>
        </li>
      ))}</ol>
    </figure>
  )
}
