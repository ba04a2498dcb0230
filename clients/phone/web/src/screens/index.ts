// The screens by their place in the hash: #/person/<id> is Person with that id.
import type { ComponentType } from 'preact'
import { type Key } from '../i18n'
import { later } from '../later'
import { list, three } from '../state'
import { Again } from './again'
import { BoardsScreen } from './boards'
import { Data } from './data'
import { Goals } from './goals'
import { Import } from './import'
import { More } from './more'
import { People } from './people'
import { Person } from './person'
import { Reminders } from './reminders'
import { Review } from './review'
import { Share } from './share'
import { Syncing } from './sync'
import { TeamScreen } from './team'
import { Today } from './today'
import { Welcome } from './welcome'

export type Tab = 'today' | 'people' | 'goals' | 'more'

export interface Screen {
  show: ComponentType<{ id: string }>
  tab: Tab // which of the tabs below is lit
  title?: () => Key
  deep?: boolean // one step further in: there is a way back
  alone?: boolean // nothing else is offered beside it
}

const next: Key[] = ['today.title.none', 'today.title.one', 'today.title.two', 'today.title']
const today: Screen = { show: Today, tab: 'today', title: () => next[three[list.value].value?.length ?? 3]! }

export const screens: Record<string, Screen> = {
  '': today,
  add: today, // a sheet over it
  again: { show: Again, tab: 'more', title: () => 'again.title', deep: true },
  boards: { show: BoardsScreen, tab: 'goals', title: () => 'boards.title', deep: true },
  card: { show: later(() => import('./card')), tab: 'more', title: () => 'card.title', deep: true },
  data: { show: Data, tab: 'more', title: () => 'data.title', deep: true },
  goals: { show: Goals, tab: 'goals', title: () => 'goals.title' },
  import: { show: Import, tab: 'more', title: () => 'people.import', deep: true },
  more: { show: More, tab: 'more', title: () => 'more.title' },
  people: { show: People, tab: 'people', title: () => 'app.people' },
  person: { show: Person, tab: 'people', deep: true },
  reminders: { show: Reminders, tab: 'more', title: () => 'more.reminders', deep: true },
  review: { show: Review, tab: 'today', title: () => 'review.title', deep: true },
  share: { show: Share, tab: 'goals', title: () => 'share.head', deep: true },
  sync: { show: Syncing, tab: 'more', title: () => 'sync.title', deep: true },
  team: { show: TeamScreen, tab: 'goals', title: () => 'team.title', deep: true },
  welcome: { show: Welcome, tab: 'today', alone: true },
}
export const screenAt = (where: string): Screen => screens[where] ?? today
