// What this phone remembers beside the book: how it looks, what was typed last. In the tour nothing is kept.
const passing = new Map<string, string>()
let tour = false

/** forget has all that is remembered from now on be gone with the page. */
export const forget = () => { tour = true }

export const recall = (key: string): string => (tour ? passing.get(key) : localStorage.getItem(key)) ?? ''

/** remember keeps a text, or forgets it if it is empty. False: there is no room, and what was there before may still be. */
export function remember(key: string, value: string): boolean {
  if (tour) passing.set(key, value)
  else if (!value) localStorage.removeItem(key)
  else {
    try { localStorage.setItem(key, value) } catch { return false } // it is for comfort only
  }
  return true
}

/** recallAs reads what was remembered as JSON; what cannot be read is as if it were not there. */
export function recallAs<T>(key: string, none: T): T {
  try {
    return (JSON.parse(recall(key)) as T) ?? none
  } catch {
    return none
  }
}
