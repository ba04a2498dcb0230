import { useEffect, useState } from 'preact/hooks'
import type { Kept, Team } from '../device'
import { number, t } from '../i18n'
import { ask, watch } from '../state'
import { Icon, Turned } from '../ui/icon'

/** useKept is what the phone keeps of a server's answer, again whenever it may be another. */
export function useKept<T>(what: 'boards' | 'team'): Kept<T> | null {
  const [kept, set] = useState<Kept<T> | null>(null)
  useEffect(() => {
    let live = true
    const load = async () => { const k = await ask<Kept<T>>(what); if (live && k) set(k) }
    void load()
    const off = watch(() => void load())
    return () => { live = false; off() }
  }, [])
  return kept
}

/** Together is the lines to boards and, for who sponsors somebody, to the own team. */
export function Together() {
  const team = useKept<Team>('team')
  return (
    <>
      <li><a class="line-link" href="#/boards"><Icon name="podium" /><span>{t('boards.link')}</span><Turned /></a></li>
      {!!team?.body?.people.length && <li><a class="line-link" href="#/team"><Icon name="people" /><span>{t('team.link')}</span>
        {team.body.people.some(p => p.cheer) && <span class="chip brand"><Icon name="heart" />{number(team.body.people.filter(p => p.cheer).length)}</span>}<Turned /></a></li>}
    </>
  )
}
