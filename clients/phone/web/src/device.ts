// What screens may ask of the member's replica. The same interface stands on the phone's worker and on the desktop's
// loopback server: JSON in, JSON out, and a word when something changed. Every call that writes has an id, so that a call
// which is sent again (another tab took over) is no second write. It is package replica/device, and what the worker adds: join.

export type List = 'prospects' | 'members'
export type Channel = 'call' | 'text' | 'email' | 'in_person'
export type Outcome = '' | 'no_answer' | 'not_ready' | 'answered' | 'replied' | 'moved' | 'enrolled'
export type Stage = 'prospect' | 'customer' | 'promoter'

/** Reason is a code, and the sentence that the playbook has for it in the language asked for. */
export interface Reason { code: string; text: string }

export interface Suggestion {
  contact: string
  name: string
  first?: string
  trigger: string
  channel: Channel
  content: number
  p0: number
  p1: number
  playbook: number
  step: string
  wording: string
  message?: string // the same to be written, where the wording is spoken
  reasons: Reason[]
  deadline?: string // a date
  quiet?: number // ms: no call and no message before
  phone?: string // E.164
  email?: string
}

/** Alert is what has just happened, with a step to take. */
export interface Alert extends Suggestion { key: string; notice: string; until: number }
export interface End { code: string; days: number; text: string }

/** keyOf tells suggestions apart. */
export const keyOf = (s: Suggestion) => `${s.contact} ${s.trigger}`

/** asMessage is a suggestion as a message, by whatever way it goes; what it is expected to do is not known then. */
export const asMessage = (s: Suggestion, channel: Channel): Suggestion =>
  (s.channel === channel ? s : { ...s, channel, wording: s.message ?? s.wording, p0: 0, p1: 0 })

/** shown is a suggestion as act and decline take it back: they need nothing that the device remembers. */
export const shown = ({ contact, trigger, channel, content, p0, p1, playbook, reasons }: Suggestion) =>
  ({ contact, trigger, channel, content, p0, p1, playbook, reason: reasons[0]?.code ?? '' })

export interface Contact {
  id: string
  name?: string
  display: string
  stage: Stage
  phones: [value: string, label: string][]
  emails: [value: string, label: string][]
  tags: string[]
  consent?: 'given' | 'opted-out'
  snooze?: string
  birthday?: string
  note?: string
  company?: string
  created?: number
}

export interface Captured { day: string; contact: Contact }
export interface Step { day: number; learn: boolean; title: string; words: string; metric?: string; piece?: string; pieceTitle?: string; url?: string; minutes?: number }
/** Newcomer is what the playbook has for the first days; day 0: they have not begun. */
export interface Newcomer { day: number; last: number; targets: { metric: string; daily: number }[]; words?: string; steps: Step[] }

export interface Row { id: string; name: string; stage: Stage; last?: string; at?: number }

export interface Logged {
  id: string
  kind: string
  at: number // ms since 1970
  channel?: Channel
  outcome?: Outcome
  cents?: number
  currency?: string
  note?: string
  stage?: Stage
  own: boolean // the member did it, and may take it back
}

/** Made is an entry that was written; undated: they talked, and no day is known for the next time. */
export interface Made { id: string; undated?: boolean }

export interface Ring { metric: string; label: string; want: number; done: number; left: number }
export type DayState = 'no_goal' | 'ahead' | 'open' | 'grace' | 'met' | 'rest' | 'skipped' | 'partly' | 'blank'
export interface Habit {
  date: string
  state: DayState
  rings: Ring[]
  streak: number
  best: number
  week: { date: string; state: DayState }[] // Monday to Sunday
  average: number // goal days a week, in tenths
  averageOf: number
  skipsLeft: number
  points: number
  line?: string
  badges: { name: string; label: string; level: number; of: number; done?: number; want?: number }[]
}

export interface Unsent { document: string; at: number; keys: number; refused: number; reason?: string }
export interface Merged { at: number; what: 'received' | 'conflict'; contact?: string; name?: string; field?: string; kept?: string; other?: string; count: number }
export interface Award { badge: string; label: string; level: number }

/** Piece is what the member may share. */
export interface Piece { name: string; kind: 'article' | 'testimony' | 'story' | 'video' | 'lesson' | 'webinar' | 'page'; title: string; summary?: string; minutes: number; shared: number }
/** Card is the member's own; vcard is there once there is enough for one. */
export interface Card { name?: string; phone?: string; email?: string; vcard?: string }
/** ReadCard is somebody's card that was read: fields as capture takes them. */
export interface ReadCard { name: string; fields: Record<string, string>; problems: string[] }
/** Step is what is to be done on a day: a promise, or somebody who comes back from a pause. */
export interface Step { contact: string; name: string; date: string; promised: boolean; phone?: string }

export interface Sync {
  state: 'off' | 'connecting' | 'connected' | 'level' | 'ended' | 'left'
  unsent: number
  changes: number
  trouble?: string
  newer?: number // a playbook that this build cannot read
}

/** Words are a text in the languages of the playbook. */
export type Words = Record<string, string>
/** Kept is what the server last said, and when. */
export interface Kept<T> { at?: number; body?: T }

export interface Recognised { person: number; badge: string; label: Words; measure: string; level: number; count: number; day: string; near?: boolean }
/** Place is a rank, a number in people, how much was done, and how much of it was captured rather than reported. */
export type Place = [rank: number, person: number, done: number, captured: number]
export type Scope = 'company' | 'team' | 'downline'
export interface Boards {
  off?: boolean
  hidden?: boolean // the member is on none
  today: string
  me: number
  metrics: { name: string; label: Words; unit: string; capture: Words }[]
  periods: { kind: 'week' | 'month'; from: string; to: string }[]
  people: string[]
  boards: { scope: Scope; period: number; metric: number; of: number; rows: Place[]; me?: Place }[]
  recognised: Recognised[]
}
export interface Teammate {
  name: string
  private?: boolean
  waiting?: boolean
  goals?: { metric: string; label: Words; capture: Words; daily: number; want: number; done: number; captured: number }[]
  weeks?: { monday: string; met: number; asked: number; full?: boolean }[]
  average?: number
  averageOf?: number
  streak?: number
  today?: boolean
  line?: Words // for the sponsor
  say?: Words // the same, for the member
  badges?: Omit<Recognised, 'person'>[]
  cheer?: 'badge' | 'line' | 'today'
}
export interface Team { off?: boolean; more?: boolean; people: Teammate[] }

/** Member is whose book this is; joined is false while it is nobody's. */
export interface Member { joined: boolean; name?: string; language?: string; zone?: string; boards?: string; remind?: string; quiet?: string; member?: string; device?: string; left?: number /* ms, when the phone was emptied as its access was taken back */ }

export interface Device {
  /** call asks. A command that writes takes effect once for a key, which is drawn anew when none is given. */
  call<T>(method: string, args?: object, key?: string): Promise<T>
  /** wake has the device look for the server now. */
  wake(): void
  /** changed calls f when anything that a query shows may be another. */
  changed(f: () => void): () => void
  close(): void
}

/** DeviceError is an error that a person can act on: what is wrong, and what to do. */
export class DeviceError extends Error {
  constructor(message: string, readonly hint = '', readonly code = '') { super(message) }
}
