import { useEffect } from 'preact/hooks'
import { appName, brand } from './brand'
import { day, t } from './i18n'
import { asKept, habit, joining, list, member, news, stuck, sync, three } from './state'
import { back, go, route } from './route'
import { screenAt, type Tab } from './screens'
import { Add } from './screens/add'
import { Emptied } from './screens/again'
import { Join } from './screens/join'
import { Search } from './screens/people'
import { Steps } from './screens/step'
import { leave, touring } from './tour'
import { Glyph, Segments, Toast, Trouble, wide } from './ui/bits'
import { Icon, Mark } from './ui/icon'
import { busyElsewhere, other, ready, update, writing } from './update'

export function App() {
  const [where = '', id = ''] = route.value
  const date = habit.value?.date
  const { show: Show, tab, title, deep, alone } = screenAt(where)
  useKeys()
  useFirst()
  if (!member.value && stuck.value) return <Stuck />
  if (member.value && !member.value.joined) return <><Join /><Toast /><Trouble /><Newer /></>
  if (member.value?.left) return <><Emptied /><Toast /><Trouble /><Newer /></>
  return (
    <div class={`app ${alone ? 'alone' : ''}`}>
      {touring.value && <div class="ribbon" role="status"><Icon name="compass" /><span>{t('join.sample')}</span><button onClick={leave}>{t('tour.leave')}</button></div>}
      <header class="top">{deep && <button class="round" aria-label={t('app.back')} onClick={back}><Icon name="back" /></button>}<div>
        {!deep && <p class="date">{brand.value.logo && <Mark size={18} />}{date && day(date, { weekday: 'long', day: 'numeric', month: 'long' })}{asKept.value && <span class="kept">{t('app.kept')}</span>}</p>}
        {title && <h1>{t(title())}</h1>}
      </div>{!touring.value && <Glyph />}</header>
      <main class="screen" key={where} data-screen={where || 'today'} tabIndex={0}>{where === 'people' && wide.value && <Search />}<Show id={id} /></main>
      <footer class="foot">
        {!alone && <Toast />}
        <Newer />
        {tab === 'today' && !deep && <Segments label={t('today.lists')} value={list.value} onPick={v => { list.value = v }} all={(['prospects', 'members'] as const).map(l => ({ value: l, label: t(`today.${l}`), count: three[l].value?.length ?? 0 }))} />}
        {where === 'people' && !wide.value && <Search />}
        <nav class="nav" aria-label={t('app.main')}>
          <p class="name-plate"><Mark size={26} /><span>{appName()}</span></p>
          <Way to="" tab="today" lit={tab} />
          <Way to="people" tab="people" lit={tab} />
          <a class="add" href="#/add" aria-label={t('app.add')}><Icon name="plus" /><span class="name">{t('app.add')}</span><kbd aria-hidden="true" data-key="N" /></a>
          <Way to="goals" tab="goals" lit={tab} />
          <Way to="more" tab="more" lit={tab} />
        </nav>
      </footer>
      {where === 'add' && <Add />}
      <Steps />
      {alone && <Toast />}
      <Trouble />
      {member.value === null && <div class="nothing" style={{ position: 'absolute', inset: 0, alignContent: 'center', pointerEvents: 'none' }}><Mark size={56} /></div>}
    </div>
  )
}

/** Stuck is all there is to say where the device cannot even be asked. */
function Stuck() {
  return (
    <main class="welcome">
      <div class="hero" role="alert"><Mark size={72} /><h1>{stuck.value!.message}</h1><p>{stuck.value!.hint}</p></div>
      <button class="button main wide" onClick={() => void update()}><Icon name="again" />{t('update.reload')}</button>
    </main>
  )
}

function Way({ to, tab, lit }: { to: string; tab: Tab; lit: Tab }) {
  return <a href={`#/${to}`} aria-current={lit === tab ? 'page' : undefined}><span class="sign"><Icon name={tab} />{tab === 'today' && news.value.length > 0 && <i class="fresh" />}</span>{t(`app.${tab}`)}{tab === 'today' && news.value.length > 0 && <span class="hide"> ({t('news.label')})</span>}</a>
}

/** Newer says that another version of the app is there. It is not shown while something is half-written. */
function Newer() {
  const text = busyElsewhere.value ? 'update.busy' : other.value === 'older' ? 'update.older' : other.value === 'newer' ? 'update.newer' : ready.value ? 'update.ready' : ''
  if (!text || writing.value) return null
  return (
    <div class="newer" role="status"><Icon name="again" /><span>{t(text)}</span>
      {text !== 'update.older' && <button class="button small-button" onClick={() => void update()}>{t(text === 'update.newer' ? 'update.reload' : 'update.now')}</button>}
    </div>
  )
}

/** useFirst leads a member whose book is empty of name and goals to the first steps, once it is known that it is. */
function useFirst() {
  const fresh = joining.value && sync.value?.state === 'level'
  useEffect(() => {
    if (!fresh || !habit.value) return
    joining.value = false
    if (!member.value?.name && habit.value.rings.every(r => r.want === 0)) go('welcome')
  }, [fresh, habit.value])
}

/** useKeys is the app under a keyboard: n captures somebody, / searches. */
function useKeys() {
  useEffect(() => {
    const press = (e: KeyboardEvent) => {
      const at = e.target as HTMLElement
      if (e.ctrlKey || e.metaKey || e.altKey || writing.value || at.matches('input, textarea, select') || !member.value?.joined) return
      if (e.key === 'n') { e.preventDefault(); go('add') }
      if (e.key === '/') {
        e.preventDefault()
        go('people')
        setTimeout(() => document.querySelector<HTMLInputElement>('.search input')?.focus(), 50)
      }
    }
    addEventListener('keydown', press)
    return () => removeEventListener('keydown', press)
  }, [])
}
