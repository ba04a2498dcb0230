import { computed, signal } from '@preact/signals'
import en from './en.json'

export type Key = keyof typeof en
/** English is in the first file, the others come when they are spoken. They lie on the phone like all of the app. */
const words: Record<string, Record<Key, string>> = { en }
const others: Record<string, () => Promise<{ default: Record<Key, string> }>> = { es: () => import('./es.json') }

export const languages = ['en', 'es'] as const
const spoken = signal<(typeof languages)[number]>('en')
export const language = computed(() => spoken.value)
let asked = 0
/** speak has the app speak the language of a tag, once its words are here. Where they cannot be had, it goes on as it is. */
export async function speak(tag: string) {
  const l = languages.find(l => tag.toLowerCase().startsWith(l)) ?? 'en'
  const turn = ++asked
  if (!words[l]) {
    const got = await others[l]!().catch(() => null)
    if (!got) return
    words[l] = got.default
  }
  if (turn !== asked) return // another one was asked for meanwhile
  spoken.value = l
  document.documentElement.lang = l
}

/** t is a message with its {arguments} filled in; {n, plural, one {# day} other {# days}} as in ICU, without nesting. */
export function t(key: Key, args: Record<string, string | number> = {}): string {
  const text: string = words[language.value]?.[key] ?? en[key] ?? key.slice(key.indexOf('.') + 1) // a kind that only newer devices know
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

/** isTag: where a system has no language, browsers name it in ways that Intl throws at, such as en-US@posix. */
const isTag = (l: string) => { try { return Intl.getCanonicalLocales(l).length > 0 } catch { return false } }
/** The way numbers and dates are written: the region's, when its language is the one spoken here. */
export const region = computed(() => navigator.languages.find(l => l.toLowerCase().startsWith(language.value) && isTag(l)) ?? language.value)

export const number = (n: number) => new Intl.NumberFormat(region.value).format(n)
export const money = (cents: number, currency: string) => new Intl.NumberFormat(region.value, { style: 'currency', currency }).format(cents / 100)
/** A date is a day in the member's calendar: no zone moves it. */
export const day = (date: string, how: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat(region.value, { ...how, timeZone: 'UTC' }).format(new Date(`${date}T00:00Z`))
export const instant = (ms: number, how: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat(region.value, how).format(ms)

/** ago says how long ago something was, in the largest unit that fits. Nothing was in the future, whatever the clock says by now. */
export function ago(ms: number, now = Date.now()): string {
  ms = Math.min(ms, now)
  const f = new Intl.RelativeTimeFormat(region.value, { numeric: 'auto' })
  const minutes = Math.round((ms - now) / 60_000)
  if (minutes === 0) return f.format(0, 'second') // now
  if (Math.abs(minutes) < 60) return f.format(minutes, 'minute')
  if (Math.abs(minutes) < 24 * 60) return f.format(Math.round(minutes / 60), 'hour')
  return f.format(Math.round(minutes / (24 * 60)), 'day')
}

/** said is a text that came in the languages of the company. */
export const said = (words: Record<string, string> = {}) => words[language.value] ?? words['en'] ?? Object.values(words)[0] ?? ''
