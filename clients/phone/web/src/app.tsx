import type { ComponentChildren } from 'preact'
import { type Key, day, t } from './i18n'
import { habit, list, member, three } from './state'
import { back, route } from './route'
import { Add } from './screens/add'
import { Goals } from './screens/goals'
import { People, Search } from './screens/people'
import { Person } from './screens/person'
import { Import } from './screens/import'
import { Join } from './screens/join'
import { More } from './screens/more'
import { Syncing } from './screens/sync'
import { Today } from './screens/today'
import { Glyph, Segments, Toast, Trouble } from './ui/bits'
import { Icon, type IconName, Mark } from './ui/icon'

const titles: Key[] = ['today.title.none', 'today.title.one', 'today.title.two', 'today.title']

export function App() {
  const [where = '', arg = ''] = route.value
  const date = habit.value?.date
  const title = where === '' || where === 'add' ? t(titles[three[list.value].value?.length ?? 3]!) : where === 'people' ? t('app.people') : where === 'goals' ? t('goals.title') : where === 'more' ? t('more.title') : where === 'sync' ? t('sync.title') : where === 'import' ? t('people.import') : ''
  const deep = where === 'person' || where === 'sync' || where === 'import' // one step further in: there is a way back
  const screen: ComponentChildren = where === 'people' ? <People /> : where === 'goals' ? <Goals /> : where === 'person' ? <Person id={arg} /> : where === 'more' ? <More /> : where === 'sync' ? <Syncing /> : where === 'import' ? <Import /> : <Today />
  if (member.value && !member.value.joined) return <><Join /><Trouble /></>
  return (
    <div class="app">
      <header class="top">{deep && <button class="round" aria-label={t('app.back')} onClick={back}><Icon name="back" /></button>}<div>
        {!deep && <p class="date">{date && day(date, { weekday: 'long', day: 'numeric', month: 'long' })}</p>}
        {title && <h1>{title}</h1>}
      </div><Glyph /></header>
      <main class="screen" key={where}>{screen}</main>
      <footer class="foot">
        {(where === '' || where === 'add') && <Segments label={t('today.lists')} value={list.value} onPick={v => { list.value = v }} all={(['prospects', 'members'] as const).map(l => ({ value: l, label: t(`today.${l}`), count: three[l].value?.length ?? 0 }))} />}
        {where === 'people' && <Search />}
        <nav class="nav" aria-label={t('app.main')}>
          <Tab to="" icon="today" label={t('app.today')} on={where === '' || where === 'add'} />
          <Tab to="people" icon="people" label={t('app.people')} on={where === 'people' || where === 'person'} />
          <a class="add" href="#/add" aria-label={t('app.add')}><Icon name="plus" /><span class="name">{t('app.add')}</span></a>
          <Tab to="goals" icon="goals" label={t('app.goals')} on={where === 'goals'} />
          <Tab to="more" icon="more" label={t('app.more')} on={where === 'more' || where === 'sync' || where === 'import'} />
        </nav>
      </footer>
      {where === 'add' && <Add />}
      <Toast />
      <Trouble />
      {member.value === null && <div class="nothing" style={{ position: 'absolute', inset: 0, alignContent: 'center', pointerEvents: 'none' }}><Mark size={56} /></div>}
    </div>
  )
}

function Tab({ to, icon, label, on }: { to: string; icon: IconName; label: string; on: boolean }) {
  return <a href={`#/${to}`} aria-current={on ? 'page' : undefined}><Icon name={icon} />{label}</a>
}
