// Files for the person to keep: handed to the share sheet where it takes them, else downloaded.
import { t } from './i18n'
import type { Kept } from './protocol'
import { ask, say } from './state'

export async function save({ name, type, data }: Kept): Promise<boolean> {
  const file = new File([data], name, { type })
  if (matchMedia('(pointer: coarse)').matches && navigator.canShare?.({ files: [file] })) {
    try {
      await navigator.share({ files: [file], title: name })
      return true
    } catch (e) {
      if (e instanceof DOMException && e.name === 'AbortError') return false // thought better of it
    }
  }
  const a = document.createElement('a')
  a.href = URL.createObjectURL(file)
  a.download = name
  a.click()
  setTimeout(() => URL.revokeObjectURL(a.href), 60_000)
  return true
}

/** keep saves a file of the device's; false when the person thought better of it, or it could not be made. */
export async function keep(what: string): Promise<boolean> {
  const file = await ask<Kept>('export', { what })
  if (!file || !(await save(file))) return false
  say(t('data.saved', { name: file.name }))
  return true
}

/** text is a file of words. */
export const text = (name: string, type: string, words: string): Kept => ({ name, type, changes: 0, data: new TextEncoder().encode(words) })

const escaped = (s: string) => s.replace(/[\\,;]/g, '\\$&').replace(/\r?\n/g, '\\n')

/** folded cuts a line of a calendar or a card into pieces of at most 75 bytes, between characters. */
function folded(line: string): string {
  let out = ''
  let room = 75
  for (const c of line) {
    const n = new TextEncoder().encode(c).length
    if (n > room) { out += '\r\n '; room = 74 }
    out += c
    room -= n
  }
  return out + '\r\n'
}

/** calendar is whole days in a form that every calendar takes. The same day again, by its id, is no second one. */
export function calendar(events: { id: string; date: string; summary: string; description?: string }[]): string {
  const stamp = new Date().toISOString().replace(/[-:]|\.\d+/g, '')
  const next = (date: string) => new Date(Date.parse(`${date}T00:00Z`) + 86_400_000).toISOString().slice(0, 10)
  const compact = (date: string) => date.replaceAll('-', '')
  return ['BEGIN:VCALENDAR', 'VERSION:2.0', 'PRODID:-//Trio//Next steps//EN', ...events.flatMap(e => [
    'BEGIN:VEVENT', `UID:${e.id}@trio`, `DTSTAMP:${stamp}`, `DTSTART;VALUE=DATE:${compact(e.date)}`, `DTEND;VALUE=DATE:${compact(next(e.date))}`,
    `SUMMARY:${escaped(e.summary)}`, ...(e.description ? [`DESCRIPTION:${escaped(e.description)}`] : []), 'TRANSP:TRANSPARENT', 'END:VEVENT',
  ]), 'END:VCALENDAR'].map(folded).join('')
}

/** cards are people as a vCard file, for the import. */
export const cards = (people: { name?: string[]; tel?: string[]; email?: string[] }[]): string => people.map(p => ['BEGIN:VCARD', 'VERSION:3.0', `FN:${escaped(p.name?.[0] ?? p.tel?.[0] ?? p.email?.[0] ?? '')}`,
  ...(p.tel ?? []).map(n => `TEL:${escaped(n)}`), ...(p.email ?? []).map(n => `EMAIL:${escaped(n)}`), 'END:VCARD'].map(folded).join('')).join('')
