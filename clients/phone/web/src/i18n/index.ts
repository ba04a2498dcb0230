import { computed, signal } from '@preact/signals'
import en from './en.json'
import es from './es.json'

export type Key = keyof typeof en
const words: Record<string, Record<Key, string>> = { en, es }

export const languages = ['en', 'es'] as const
const wanted = signal<string>(navigator.language)
export const language = computed(() => (wanted.value.toLowerCase().startsWith('es') ? 'es' : 'en'))
export function speak(tag: string) { wanted.value = tag; document.documentElement.lang = language.value }

/** t is a message with its {arguments} filled in; {n, plural, one {# day} other {# days}} as in ICU, without nesting. */
export function t(key: Key, args: Record<string, string | number> = {}): string {
  const text = words[language.value]?.[key] ?? en[key]
  return text
    .replace(/\{(\w+), plural, ((?:[=\w]+ \{[^{}]*\} ?)+)\}/g, (_, name: string, forms: string) => {
      const n = Number(args[name])
      const rule = new Intl.PluralRules(language.value).select(n)
      const found: Record<string, string> = {}
      for (const m of forms.matchAll(/([=\w]+) \{([^{}]*)\}/g)) found[m[1]!] = m[2]!
      return (found[`=${n}`] ?? found[rule] ?? found['other'] ?? '').replaceAll('#', number(n))
    })
    .replace(/\{(\w+)\}/g, (all, name: string) => (name in args ? String(args[name]) : all))
}

/** known is a message by its key, or a text that came in words. */
export const known = (text: string) => (text in en ? t(text as Key) : text)

/** The way numbers and dates are written: the region's, when its language is the one spoken here. */
const region = computed(() => (navigator.languages.find(l => l.toLowerCase().startsWith(language.value)) ?? language.value))

export const number = (n: number) => new Intl.NumberFormat(region.value).format(n)
export const money = (cents: number, currency: string) => new Intl.NumberFormat(region.value, { style: 'currency', currency }).format(cents / 100)
/** A date is a day in the member's calendar: no zone moves it. */
export const day = (date: string, how: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat(region.value, { ...how, timeZone: 'UTC' }).format(new Date(`${date}T00:00Z`))
export const instant = (ms: number, how: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat(region.value, how).format(ms)

/** ago says how long ago something was, in the largest unit that fits. */
export function ago(ms: number, now = Date.now()): string {
  const f = new Intl.RelativeTimeFormat(region.value, { numeric: 'auto' })
  const minutes = Math.round((ms - now) / 60_000)
  if (Math.abs(minutes) < 60) return f.format(minutes, 'minute')
  if (Math.abs(minutes) < 24 * 60) return f.format(Math.round(minutes / 60), 'hour')
  return f.format(Math.round(minutes / (24 * 60)), 'day')
}

/** said is a text that came in the languages of the company. */
export const said = (words: Record<string, string> = {}) => words[language.value] ?? words['en'] ?? Object.values(words)[0] ?? ''
