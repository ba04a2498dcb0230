// What this phone remembers beside the book: how it looks, what was typed last. In the tour nothing is kept.
const passing = new Map<string, string>()
let tour = false

/** forget has all that is remembered from now on be gone with the page. */
export const forget = () => { tour = true }

export const recall = (key: string): string => (tour ? passing.get(key) : localStorage.getItem(key)) ?? ''

export function remember(key: string, value: string) {
  if (tour) passing.set(key, value)
  else if (value) {
    try { localStorage.setItem(key, value) } catch { /* no room: it is for comfort only */ }
  } else localStorage.removeItem(key)
}

/** recallAs reads what was remembered as JSON; what cannot be read is as if it were not there. */
export function recallAs<T>(key: string, none: T): T {
  try {
    return (JSON.parse(recall(key)) as T) ?? none
  } catch {
    return none
  }
}
