// The wording of a suggestion as somebody changed it, kept until it is used: it outlives a call, and the phone going away.
import { signal } from '@preact/signals'
import { keyOf, type Suggestion } from './device'
import { onClear, recallAs, remember } from './keep'

type Kept = Record<string, string>
const most = 20 // older ones are forgotten
const kept = signal<Kept>(recallAs<Kept>('words', {}))

onClear(() => { kept.value = {} })

const name = (s: Suggestion) => `${keyOf(s)} ${s.channel === 'text' || s.channel === 'email' ? 'written' : 'said'} ${s.content}`

/** wordsOf is what is to be said: the app's wording, or what it was changed to. */
export const wordsOf = (s: Suggestion) => kept.value[name(s)] ?? s.wording
export const changed = (s: Suggestion) => name(s) in kept.value

/** write keeps another wording; the app's own is no other. */
export function write(s: Suggestion, text: string) {
  const { [name(s)]: _, ...rest } = kept.value
  const all = Object.entries(rest)
  if (text !== s.wording) all.push([name(s), text])
  kept.value = Object.fromEntries(all.slice(-most))
  remember('words', all.length > 0 ? JSON.stringify(kept.value) : '')
}
export const used = (s: Suggestion) => { if (changed(s)) write(s, s.wording) }
