// The screens by their place in the hash: #/person/<id> is Person with that id.
import type { ComponentType } from 'preact'
import { type Key } from '../i18n'
import { later } from '../later'
import { list, three } from '../state'
import { Again } from './again'
import { Goals } from './goals'
import { More } from './more'
import { People } from './people'
import { Person } from './person'
import { Review } from './review'
import { Syncing } from './sync'
import { Today } from './today'

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
  boards: { show: later(() => import('./boards')), tab: 'goals', title: () => 'boards.title', deep: true },
  card: { show: later(() => import('./card')), tab: 'more', title: () => 'card.title', deep: true },
  data: { show: later(() => import('./data')), tab: 'more', title: () => 'data.title', deep: true },
  goals: { show: Goals, tab: 'goals', title: () => 'goals.title' },
  import: { show: later(() => import('./import')), tab: 'more', title: () => 'people.import', deep: true },
  more: { show: More, tab: 'more', title: () => 'more.title' },
  people: { show: People, tab: 'people', title: () => 'app.people' },
  person: { show: Person, tab: 'people', deep: true },
  reminders: { show: later(() => import('./reminders')), tab: 'more', title: () => 'more.reminders', deep: true },
  review: { show: Review, tab: 'today', title: () => 'review.title', deep: true },
  share: { show: later(() => import('./share')), tab: 'goals', title: () => 'share.head', deep: true },
  sync: { show: Syncing, tab: 'more', title: () => 'sync.title', deep: true },
  team: { show: later(() => import('./team')), tab: 'goals', title: () => 'team.title', deep: true },
  welcome: { show: later(() => import('./welcome')), tab: 'today', alone: true },
}
export const screenAt = (where: string): Screen => screens[where] ?? today
