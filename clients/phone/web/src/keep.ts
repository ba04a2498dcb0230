// What this phone remembers beside the book: how it looks, what was typed last. In the tour nothing is kept.
const passing = new Map<string, string>()
let tour = false

/** forget has all that is remembered from now on be gone with the page. */
export const forget = () => { tour = true }

export function recall(key: string): string {
  if (!tour) try { return localStorage.getItem(key) ?? '' } catch { /* this browser keeps nothing: it is for as long as the page */ }
  return passing.get(key) ?? ''
}

/** remember keeps a text, or forgets it if it is empty. False: there is no room, and what was there before may still be. */
export function remember(key: string, value: string): boolean {
  if (tour) { passing.set(key, value); return true }
  try {
    if (value) localStorage.setItem(key, value)
    else localStorage.removeItem(key)
    return true
  } catch { // it is for comfort only
    return false
  }
}

/** What is remembered of a book and its people; the rest is about the phone. */
const ofBook = ['safe', 'event', 'code', 'words', 'gone', 'steps', 'reviewed', 'reminders', 'cheered']
const holders = new Set<() => void>()
/** onClear has f called when the book has left the phone, by whoever has something of it in hand. */
export const onClear = (f: () => void) => { holders.add(f) }
/** clear forgets all of a book that is not here any more. */
export function clear() {
  for (const key of ofBook) remember(key, '')
  for (const f of holders) f()
}

/** recallAs reads what was remembered as JSON; what cannot be read, or is of another shape than none, is as if it were not there. */
export function recallAs<T>(key: string, none: T): T {
  try {
    const kept = JSON.parse(recall(key)) as T
    return kept && Array.isArray(kept) === Array.isArray(none) ? kept : none
  } catch {
    return none
  }
}
