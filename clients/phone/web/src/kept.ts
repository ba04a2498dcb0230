// What the first screens showed last, kept in the page's own storage, so that they can show it again before the core is
// there. It is what the device answered and nothing else: of this member, in this language, on this day of the member's, or
// it is not shown at all. How safe the book is is not kept: that has to be true now.
import { recall, remember } from './keep'
import type { Habit, List, Member, Suggestion } from './device'

export interface Kept { lang: string; member: Member; three: Record<List, Suggestion[]>; habit: Habit }

const name = 'kept'
let last = '' // what lies there, as far as we know

export function keep(k: Kept) {
  const text = JSON.stringify(k)
  if (text === last) return
  if (remember(name, text)) last = text
  else unkeep() // there is no room: the next start waits for the core
}

/** unkeep drops it. */
export function unkeep() {
  last = ''
  remember(name, '')
}

/** kept is what may be shown again, or null. */
export function kept(lang: string, now = new Date()): Kept | null {
  try {
    const k = JSON.parse(recall(name) || 'null') as Kept | null
    if (!k || k.lang !== lang || !k.member.joined || k.habit.date !== dateIn(k.member.zone, now)) return null
    return k
  } catch {
    unkeep()
    return null
  }
}

/** dateIn is the date in a zone, as the device writes it; by this phone's clock where no zone is said, or one that the browser does not know. */
export function dateIn(zone: string | undefined, now: Date | number): string {
  const write = (timeZone?: string) => new Intl.DateTimeFormat('en-CA', { year: 'numeric', month: '2-digit', day: '2-digit', timeZone }).format(now)
  try {
    return write(zone || undefined)
  } catch {
    return write()
  }
}
