import { day, t } from './i18n'
import { habit, list, member, three } from './state'
import { back, route } from './route'
import { screenAt, type Tab } from './screens'
import { Add } from './screens/add'
import { Join } from './screens/join'
import { Search } from './screens/people'
import { Glyph, Segments, Toast, Trouble } from './ui/bits'
import { Icon, Mark } from './ui/icon'

export function App() {
  const [where = '', id = ''] = route.value
  const date = habit.value?.date
  const { show: Show, tab, title, deep } = screenAt(where)
  if (member.value && !member.value.joined) return <><Join /><Trouble /></>
  return (
    <div class="app">
      <header class="top">{deep && <button class="round" aria-label={t('app.back')} onClick={back}><Icon name="back" /></button>}<div>
        {!deep && <p class="date">{date && day(date, { weekday: 'long', day: 'numeric', month: 'long' })}</p>}
        {title && <h1>{t(title())}</h1>}
      </div><Glyph /></header>
      <main class="screen" key={where} tabIndex={0}><Show id={id} /></main>
      <footer class="foot">
        {tab === 'today' && <Segments label={t('today.lists')} value={list.value} onPick={v => { list.value = v }} all={(['prospects', 'members'] as const).map(l => ({ value: l, label: t(`today.${l}`), count: three[l].value?.length ?? 0 }))} />}
        {where === 'people' && <Search />}
        <nav class="nav" aria-label={t('app.main')}>
          <Way to="" tab="today" lit={tab} />
          <Way to="people" tab="people" lit={tab} />
          <a class="add" href="#/add" aria-label={t('app.add')}><Icon name="plus" /><span class="name">{t('app.add')}</span></a>
          <Way to="goals" tab="goals" lit={tab} />
          <Way to="more" tab="more" lit={tab} />
        </nav>
      </footer>
      {where === 'add' && <Add />}
      <Toast />
      <Trouble />
      {member.value === null && <div class="nothing" style={{ position: 'absolute', inset: 0, alignContent: 'center', pointerEvents: 'none' }}><Mark size={56} /></div>}
    </div>
  )
}

function Way({ to, tab, lit }: { to: string; tab: Tab; lit: Tab }) {
  return <a href={`#/${to}`} aria-current={lit === tab ? 'page' : undefined}><Icon name={tab} />{t(`app.${tab}`)}</a>
}
