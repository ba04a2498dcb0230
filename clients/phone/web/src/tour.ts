// The tour: the whole app over a sample in memory, which sample.ts has. Leaving it is loading the page again.
import { signal } from '@preact/signals'

export const touring = signal(false)

/** leave ends the tour; nothing of it stays. */
export function leave() {
  history.replaceState(null, '', location.pathname)
  location.reload()
}
